//! Prints a plan in the four formats of EXPLAIN, as Postgres lays them out.

use std::fmt::Write as _;

use super::plan::Node;

/// One property of a node outside of TEXT.
enum Shown {
    Word(String),
    Bare(String),
}

pub(super) fn text(root: &Node) -> Vec<String> {
    let mut lines = Vec::new();
    text_node(root, 0, &mut lines);
    lines
}

fn text_node(node: &Node, mut indent: usize, lines: &mut Vec<String>) {
    if let Some(subplan) = &node.subplan {
        lines.push(format!("{}{subplan}", "  ".repeat(indent)));
        indent += 1;
    }
    let arrow = if indent > 0 { "->  " } else { "" };
    lines.push(format!("{}{arrow}{}", "  ".repeat(indent), title(node)));
    let inside = if indent > 0 { indent + 3 } else { 1 };
    for child in &node.children {
        text_node(child, inside, lines);
    }
}

fn title(node: &Node) -> String {
    let mut title = String::new();
    if let Some(mode @ ("Partial" | "Finalize")) = node.partial_mode.as_deref() {
        title.push_str(mode);
        title.push(' ');
    }
    if node.parallel {
        title.push_str("Parallel ");
    }
    title.push_str(&name_of(node));
    if node.backward {
        title.push_str(" Backward");
    }
    if let Some(product) = &node.product {
        title.push_str(" on ");
        title.push_str(product);
    }
    if let Some(costs) = &node.costs {
        let _ = write!(
            title,
            "  (cost={:.2}..{:.2} rows={:.0} width={:.0})",
            costs.startup, costs.total, costs.rows, costs.width
        );
    }
    title
}

/// What TEXT calls a node: strategy and join type are part of the name.
fn name_of(node: &Node) -> String {
    let strategy = node.strategy.as_deref();
    match (node.node_type.as_str(), strategy) {
        ("Aggregate", Some("Sorted")) => return "GroupAggregate".to_owned(),
        ("Aggregate", Some("Hashed")) => return "HashAggregate".to_owned(),
        ("Aggregate", Some("Mixed")) => return "MixedAggregate".to_owned(),
        ("SetOp", Some("Hashed")) => return "HashSetOp".to_owned(),
        _ => {}
    }
    match (&node.join_type, node.node_type.strip_suffix(" Join")) {
        (Some(join), Some(kind)) if join != "Inner" => format!("{kind} {join} Join"),
        (Some(join), None) if join != "Inner" => format!("{} {join} Join", node.node_type),
        _ => node.node_type.clone(),
    }
}

fn properties(node: &Node) -> Vec<(&'static str, Shown)> {
    let mut shown = vec![("Node Type", Shown::Word(node.node_type.clone()))];
    let words = [
        ("Strategy", &node.strategy),
        ("Partial Mode", &node.partial_mode),
        ("Parent Relationship", &node.parent_relationship),
        ("Subplan Name", &node.subplan),
    ];
    shown.extend(words.into_iter().filter_map(|(key, word)| Some((key, Shown::Word(word.clone()?)))));
    shown.push(("Parallel Aware", Shown::Bare(node.parallel.to_string())));
    let words = [("Join Type", &node.join_type), ("Relation Name", &node.product)];
    shown.extend(words.into_iter().filter_map(|(key, word)| Some((key, Shown::Word(word.clone()?)))));
    if let Some(costs) = &node.costs {
        shown.push(("Startup Cost", Shown::Bare(format!("{:.2}", costs.startup))));
        shown.push(("Total Cost", Shown::Bare(format!("{:.2}", costs.total))));
        shown.push(("Plan Rows", Shown::Bare(format!("{:.0}", costs.rows))));
        shown.push(("Plan Width", Shown::Bare(format!("{:.0}", costs.width))));
    }
    shown
}

pub(super) fn json(root: &Node) -> String {
    let mut out = "[\n  {\n    \"Plan\": ".to_owned();
    json_node(root, 2, &mut out);
    out.push_str("\n  }\n]");
    out
}

fn json_node(node: &Node, depth: usize, out: &mut String) {
    let pad = "  ".repeat(depth + 1);
    out.push('{');
    for (n, (key, value)) in properties(node).iter().enumerate() {
        let comma = if n > 0 { "," } else { "" };
        let _ = write!(out, "{comma}\n{pad}\"{key}\": {}", scalar(value));
    }
    if !node.children.is_empty() {
        let _ = write!(out, ",\n{pad}\"Plans\": [");
        for (n, child) in node.children.iter().enumerate() {
            let _ = write!(out, "{}\n{pad}  ", if n > 0 { "," } else { "" });
            json_node(child, depth + 2, out);
        }
        let _ = write!(out, "\n{pad}]");
    }
    let _ = write!(out, "\n{}}}", "  ".repeat(depth));
}

/// A JSON string, which is a YAML string too.
fn scalar(value: &Shown) -> String {
    match value {
        Shown::Word(word) => serde_json::Value::String(word.clone()).to_string(),
        Shown::Bare(bare) => bare.clone(),
    }
}

pub(super) fn yaml(root: &Node) -> String {
    let mut out = "- Plan: ".to_owned();
    for (key, value) in properties(root) {
        let _ = write!(out, "\n    {key}: {}", scalar(&value));
    }
    yaml_children(root, 4, &mut out);
    out
}

fn yaml_children(node: &Node, indent: usize, out: &mut String) {
    if node.children.is_empty() {
        return;
    }
    let pad = " ".repeat(indent);
    let _ = write!(out, "\n{pad}Plans: ");
    for child in &node.children {
        for (n, (key, value)) in properties(child).iter().enumerate() {
            let lead = if n == 0 { "- " } else { "  " };
            let _ = write!(out, "\n{pad}  {lead}{key}: {}", scalar(value));
        }
        yaml_children(child, indent + 4, out);
    }
}

pub(super) fn xml(root: &Node) -> String {
    let mut out = "<explain xmlns=\"http://www.postgresql.org/2009/explain\">\n  <Query>".to_owned();
    xml_node(root, 2, &mut out);
    out.push_str("\n  </Query>\n</explain>");
    out
}

fn xml_node(node: &Node, depth: usize, out: &mut String) {
    let pad = "  ".repeat(depth);
    let _ = write!(out, "\n{pad}<Plan>");
    for (key, value) in properties(node) {
        let tag = key.replace(' ', "-");
        let (Shown::Word(text) | Shown::Bare(text)) = value;
        let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let _ = write!(out, "\n{pad}  <{tag}>{text}</{tag}>");
    }
    if !node.children.is_empty() {
        let _ = write!(out, "\n{pad}  <Plans>");
        for child in &node.children {
            xml_node(child, depth + 2, out);
        }
        let _ = write!(out, "\n{pad}  </Plans>");
    }
    let _ = write!(out, "\n{pad}</Plan>");
}
