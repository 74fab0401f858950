-- The masks of the twin, written independently of the engine: plain functions over text, HMAC by pgcrypto.
CREATE EXTENSION pgcrypto;
CREATE SCHEMA m;
CREATE FUNCTION m.last4(v text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    IF v IS NULL THEN RETURN NULL; END IF;
    IF length(v) < 8 THEN RETURN '***'; END IF;
    RETURN '***' || substr(v, length(v) - 3);
END $$;
CREATE FUNCTION m.email(v text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    IF v IS NULL THEN RETURN NULL; END IF;
    IF position('@' in v) = 0 THEN RETURN '***'; END IF;
    RETURN substr(v, 1, 1) || '***@' || substr(v, position('@' in v) + 1);
END $$;
CREATE FUNCTION m.hash(v text, k text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT encode(hmac(convert_to(v, 'UTF8'), convert_to(k, 'UTF8'), 'sha256'), 'hex') $$;
