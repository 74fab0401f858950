//! Both files, from FORMATS to single mistakes.
