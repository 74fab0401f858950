//! The products that generated statements read: for the generator their columns, for pgveil their files.

use std::fmt::Write as _;

/// Types that the generator tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ty {
    Int,
    Big,
    Num,
    Float,
    Text,
    Bool,
    Date,
    Ts,
    Tz,
    Itv,
    Json,
    Texts,
    Ints,
    Uuid,
    Time,
    Mood,
    /// A whole row.
    Row,
}

/// A product.
pub struct Product {
    pub domain: &'static str,
    pub name: &'static str,
    pub relation: &'static str,
    pub columns: &'static [(&'static str, Ty, &'static str)],
    pub key: &'static [&'static str],
    pub filters: &'static str,
}

const EU: &str = "[[row_filters]]\nroles = [\"analyst\"]\nwhere = \"region = {user.region}\"\n";

/// Every product. A column's third word is what its file says beyond name and type.
pub const PRODUCTS: &[Product] = &[
    Product {
        domain: "shop",
        name: "items",
        relation: "raw.items",
        columns: &[
            ("order_id", Ty::Int, ""),
            ("line", Ty::Int, ""),
            ("sku", Ty::Text, ""),
            ("price", Ty::Num, ""),
            ("amount", Ty::Int, ""),
        ],
        key: &["order_id", "line"],
        filters: "",
    },
    Product {
        domain: "shop",
        name: "orders",
        relation: "raw.orders_v7",
        columns: &[
            ("id", Ty::Int, ""),
            ("customer_id", Ty::Big, ""),
            ("status", Ty::Text, ""),
            ("total", Ty::Num, ""),
            ("qty", Ty::Int, ""),
            ("region", Ty::Text, ""),
            ("placed", Ty::Date, ""),
            ("note", Ty::Text, "mask = \"redact\""),
            ("ref", Ty::Text, ""),
            ("attrs", Ty::Json, ""),
        ],
        key: &["id"],
        // Dear to evaluate: unfenced, the planner would run almost everything of a client before them.
        filters: "[[row_filters]]\nroles = [\"analyst\"]\nwhere = \"upper(trim(region)) = upper({user.region})\"\n\
                  [[row_filters]]\nroles = [\"manager\"]\nwhere = \"lower(trim(status)) <> 'draft'\"\n",
    },
    Product {
        domain: "shop",
        name: "customers",
        relation: "raw.cust_v3",
        columns: &[
            ("id", Ty::Big, ""),
            ("name", Ty::Text, "pii = true\nmask = \"redact\""),
            ("email", Ty::Text, "pii = true\nmask = \"email\""),
            ("phone", Ty::Text, "pii = true"),
            ("born", Ty::Date, "pii = true\nmask = \"year\""),
            ("joined", Ty::Tz, "mask = \"month\""),
            ("income", Ty::Int, "pii = true\nmask = { bucket = 1000 }"),
            ("segment", Ty::Text, "mask = { value = \"hidden\" }"),
            ("code", Ty::Text, "mask = { sql = \"left({column}, 1) || '…'\" }"),
            ("vip", Ty::Bool, "mask = \"null\""),
            ("region", Ty::Text, ""),
            ("score", Ty::Num, ""),
            ("tags", Ty::Texts, ""),
            ("prefs", Ty::Json, ""),
            ("note", Ty::Text, "mask = \"redact\""),
        ],
        key: &["id"],
        filters: "",
    },
    Product {
        domain: "shop",
        name: "accounts",
        relation: "raw.accounts",
        columns: &[
            ("id", Ty::Int, ""),
            ("parent", Ty::Int, ""),
            ("email", Ty::Text, "pii = true\nmask = \"hash\""),
            ("balance", Ty::Num, ""),
            ("kind", Ty::Text, ""),
            ("opened", Ty::Ts, ""),
        ],
        key: &["id"],
        filters: "[[row_filters]]\nexcept = [\"admin\"]\nwhere = \"lower(replace(kind, ' ', '')) <> 'internal'\"\n",
    },
    Product {
        domain: "ops",
        name: "tickets",
        relation: "raw.tickets_v",
        columns: &[
            ("id", Ty::Int, ""),
            ("customer_id", Ty::Big, ""),
            ("opened", Ty::Tz, ""),
            ("body", Ty::Text, "pii = true\nmask = \"redact\""),
            ("priority", Ty::Int, ""),
            ("closed", Ty::Bool, ""),
            ("took", Ty::Itv, ""),
            ("who", Ty::Uuid, ""),
            ("mood", Ty::Mood, ""),
            ("weight", Ty::Text, ""),
        ],
        key: &[],
        filters: "",
    },
    Product {
        domain: "ops",
        name: "depots",
        relation: "raw.depots",
        columns: &[
            ("id", Ty::Int, ""),
            ("name", Ty::Text, ""),
            ("region", Ty::Text, ""),
            ("lat", Ty::Float, ""),
            ("opens", Ty::Time, ""),
            ("since", Ty::Ts, ""),
        ],
        key: &["id"],
        filters: "",
    },
    Product {
        domain: "ops",
        name: "orders",
        relation: "raw.deliveries",
        columns: &[
            ("id", Ty::Int, ""),
            ("depot_id", Ty::Int, ""),
            ("order_id", Ty::Int, ""),
            ("weight", Ty::Float, ""),
            ("region", Ty::Text, ""),
        ],
        key: &["id"],
        filters: EU,
    },
];

/// The roles and their users, all with the analyst's password.
pub const POLICY: &str = r#"
[defaults]
max_rows = 20000
statement_timeout = "20s"

[roles.analyst]
products = ["shop.*", "ops.*"]

[roles.manager]
products = ["shop.*", "ops.*"]
unmask = ["shop.customers.name", "shop.customers.income", "*.*.note"]

[roles.admin]
products = ["*"]
unmask = ["*"]

[users.analyst]
password = "${file:secrets/analyst.verifier}"
roles = ["analyst"]
attributes = { region = "EU" }

[users.manager]
password = "${file:secrets/analyst.verifier}"
roles = ["manager"]

[users.both]
password = "${file:secrets/analyst.verifier}"
roles = ["analyst", "manager"]
attributes = { region = "EU" }
"#;

fn contract_type(ty: Ty) -> &'static str {
    match ty {
        Ty::Int | Ty::Big => "integer",
        Ty::Num => "decimal",
        Ty::Float => "float",
        Ty::Text | Ty::Mood => "string",
        Ty::Bool => "boolean",
        Ty::Date => "date",
        Ty::Ts | Ty::Tz => "timestamp",
        Ty::Itv => "interval",
        Ty::Json => "json",
        Ty::Texts | Ty::Ints => "array",
        Ty::Uuid => "uuid",
        Ty::Time => "time",
        Ty::Row => unreachable!("no column is a whole row"),
    }
}

impl Product {
    /// Its file.
    pub fn toml(&self) -> String {
        let Self { domain, name, relation, columns, filters, .. } = self;
        let mut out = format!(
            "id = \"{domain}.{name}\"\ndomain = \"{domain}\"\nname = \"{name}\"\ndescription = \"For generated statements.\"\n\
             version = 1\nstatus = \"published\"\ntags = []\nrelation = \"{relation}\"\n\n\
             [owner]\nteam = \"Data\"\ncontact = \"data@example.com\"\nslack_channel = \"#data\"\n"
        );
        for (column, ty, more) in *columns {
            let ty = contract_type(*ty);
            write!(out, "\n[[schema]]\ncolumn = \"{column}\"\ntype = \"{ty}\"\ndescription = \"{column}\"\n{more}\n")
                .unwrap();
        }
        out + "\n" + filters
    }
}
