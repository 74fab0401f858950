use super::*;
use crate::names::{ProductId, RelationName};

/// What PostgreSQL 15 answered for a statement over the relations `x` and `y` with a CTE, a subplan and a left join.
const PLAN: &str = include_str!("plan.json");

fn shape(format: ExplainFormat, costs: bool) -> ExplainShape {
    let relation = RelationName { schema: "public".to_owned(), name: "y".to_owned() };
    ExplainShape { format, costs, relations: vec![(relation, ProductId::parse("crm.people").unwrap())] }
}

#[test]
fn text_is_laid_out_as_postgres_does() {
    let lines = render(PLAN, &shape(ExplainFormat::Text, false)).unwrap();
    assert_eq!(
        lines,
        [
            "GroupAggregate",
            "  CTE",
            "    ->  Seq Scan",
            "  InitPlan 2 (returns $1)",
            "    ->  Aggregate",
            "          ->  Seq Scan on crm.people",
            "  ->  Merge Left Join",
            "        ->  Sort",
            "              ->  CTE Scan",
            "        ->  Sort",
            "              ->  Seq Scan on crm.people",
            "  SubPlan 4",
            "    ->  Seq Scan on crm.people",
        ]
    );
    let lines = render(PLAN, &shape(ExplainFormat::Text, true)).unwrap();
    assert_eq!(lines[0], "GroupAggregate  (cost=310.34..1301.16 rows=200 width=17)");
}

#[test]
fn no_format_shows_conditions_names_or_costs() {
    for format in [ExplainFormat::Text, ExplainFormat::Json, ExplainFormat::Yaml, ExplainFormat::Xml] {
        let shown = render(PLAN, &shape(format, false)).unwrap().join("\n");
        for hidden in ["Cond", "Key", "Alias", "Cost", "Rows", "c.id", "\"x\"", "CTE c", "yy", ">x<"] {
            assert!(!shown.contains(hidden), "{format:?} {hidden}: {shown}");
        }
        assert!(shown.contains("crm.people"), "{format:?}");
    }
}

#[test]
fn json_and_yaml_and_xml_hold_the_same_tree() {
    let json: serde_json::Value =
        serde_json::from_str(&render(PLAN, &shape(ExplainFormat::Json, true)).unwrap()[0]).unwrap();
    let plan = &json[0]["Plan"];
    assert_eq!(plan["Node Type"], "Aggregate");
    assert_eq!(plan["Plan Rows"], 200);
    assert_eq!(plan["Plans"][2]["Join Type"], "Left");
    assert_eq!(plan["Plans"][2]["Plans"][1]["Plans"][0]["Relation Name"], "crm.people");
    let yaml = render(PLAN, &shape(ExplainFormat::Yaml, false)).unwrap().remove(0);
    assert!(yaml.starts_with("- Plan: \n    Node Type: \"Aggregate\"\n    Strategy: \"Sorted\""), "{yaml}");
    assert!(yaml.contains("\n          - Node Type: \"Sort\"\n            Parent Relationship: \"Outer\""), "{yaml}");
    let xml = render(PLAN, &shape(ExplainFormat::Xml, false)).unwrap().remove(0);
    assert_eq!(xml.matches("<Plan>").count(), xml.matches("</Plan>").count());
    assert_eq!(xml.matches("<Plan>").count(), 10);
}

#[test]
fn what_is_no_plan_is_an_error() {
    for json in ["", "{}", "[]", "[{\"Plan\": 1}]", "[{\"Plan\": {\"Node Type\": \"x(1)\"}}]"] {
        assert_eq!(render(json, &shape(ExplainFormat::Text, false)), Err(UnreadablePlan), "{json}");
    }
}
