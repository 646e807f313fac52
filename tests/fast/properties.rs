//! What holds for every manifest: editing changes nothing else, and no text of a user's ends up outside its string.

use mcp_deploy::manifest::edit::{self, Declaration};
use mcp_deploy::manifest::{Kind, Manifest, parse};
use mcp_deploy::template;
use proptest::prelude::*;
use saphyr::LoadableYamlNode as _;
use serde_json::{Value, json};

use crate::editor;
use crate::source::{outside_comments_and_strings, without_comments};

fn manifest(text: &str) -> Manifest {
    let (manifest, faults) = parse(text, &|name| Err(format!("cannot read `{name}`")));
    editor::accepts(text);
    manifest
        .unwrap_or_else(|| panic!("{}\n{text}", faults.iter().map(|fault| format!("{fault}\n")).collect::<String>()))
}

fn sound(text: &str) -> bool {
    parse(text, &|name| Err(format!("cannot read `{name}`"))).0.is_some()
}

/// Everything that the server will say, to be compared.
fn meaning(manifest: &Manifest) -> Value {
    json!({
        "tools": manifest.tool_entries(),
        "resources": [manifest.resource_entries(false), manifest.resource_entries(true)],
        "prompts": manifest.prompt_entries(),
        "rest": format!("{:?} {:?} {:?} {:?}", manifest.server, manifest.env, manifest.secrets, manifest.targets),
    })
}

// ---- editing ----

/// Ways in which people write their manifests; `NAME` becomes a number, so that all are different.
const PIECES: [&str; 13] = [
    "[tools.tNAME]\ndescription = \"d\"\n",
    "  [tools.tNAME]   # behind the header\n  description='d'# tight\n  timeout   =   \"5s\"\n",
    "[tools.tNAME]\ndescription = \"\"\"\n[tools.fake]\n# no comment\n\"\"\"\n[tools.tNAME.input]\ncity = { type = \"string\" } # trailing\n# note = { type = \"string\" }\n",
    "[tools.tNAME.input]\nlist = { type = \"array\", items = { type = \"string\" }, default = [\n  \"a\", # one\n] }\n\n[tools.tNAME]\ndescription = \"d\"\n",
    "[tools.tNAME]\ndescription = \"d\"\ninput.city.type = \"string\"\nannotations.read_only = true\n",
    "[tools.tNAME]\ndescription = \"d\"\n[[tools.tNAME.icons]]\nsrc = \"https://example.com/a.png\"\n",
    "[tools.\"tNAME\"]\n\"description\" = \"d\"\n\n# between the tables\n\n[tools.\"tNAME\".output]\nx.type = \"number\"\n",
    "[resources.rNAME]\nuri = \"x://NAME\"\ndescription = \"d\"\n",
    "[resources]\nsNAME = { uri = \"y://NAME\", description = \"d\" }\nzNAME.uri = \"z://NAME\"\nzNAME.description = \"d\"\n",
    "[prompts.pNAME]\ndescription = \"d\"\n[prompts.pNAME.input]\ncity = { type = \"string\" }\n",
    "[env]\nA = \"1\" # one\n",
    "[secrets]\nB = \"d\"\n",
    "[targets.cloudflare]\n[targets.lambda]\nregions = [\n  \"us-east-1\",\n]\n",
];
const SERVER: &str = "[server]\nname = 'x'   # odd  spacing\nversion=\"1.0.0\"\ndescription = \"d\"\n";
/// What may stand between two tables; the last two belong to the table that follows.
const BETWEEN: [&str; 6] = ["", "\n", "\n\n", "\n# ---- NAME ----\n\n", "\n# above NAME\n", "# above NAME\n"];

/// A valid manifest in some order, with comments and blank lines of all kinds.
fn written() -> impl Strategy<Value = String> {
    let pieces = prop::sample::subsequence(PIECES.to_vec(), 0..=PIECES.len()).prop_shuffle();
    let between = prop::collection::vec(prop::sample::select(BETWEEN.to_vec()), PIECES.len() + 2);
    (pieces, between, any::<prop::sample::Index>(), any::<bool>(), any::<bool>()).prop_map(
        |(mut pieces, between, at, crlf, ends)| {
            pieces.insert(at.index(pieces.len() + 1), SERVER);
            let mut text = String::new();
            for (number, (between, piece)) in between.iter().zip(&pieces).enumerate() {
                let name = number.to_string();
                text += &between.replace("NAME", &format!("note {name}"));
                text += &piece.replace("NAME", &name);
            }
            text += between.last().copied().unwrap_or_default();
            let text = if ends { text } else { text.trim_end().to_owned() };
            if crlf { text.replace('\n', "\r\n") } else { text }
        },
    )
}

fn declaration() -> impl Strategy<Value = Declaration> {
    let kind = prop::sample::select(Kind::ALL.to_vec());
    (kind, "[a-z][a-z0-9_.-]{0,8}[a-z]", hostile(), any::<bool>()).prop_map(|(kind, name, description, input)| {
        let mut entries = vec![("description".to_owned(), json!(description.trim().to_owned() + "."))];
        if kind == Kind::Resource {
            entries.push(("uri".into(), json!(format!("added://{name}"))));
        }
        let city = ("city".to_owned(), json!({ "type": "string", "description": description }));
        let tables = if input && kind != Kind::Resource { vec![("input", vec![city])] } else { Vec::new() };
        Declaration { kind, name, entries, tables }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn adding_is_the_old_text_and_one_table(text in written(), declaration in declaration()) {
        let before = manifest(&text);
        let added = edit::add(&text, &declaration).unwrap();
        let after = manifest(&added);

        // One more of its kind, and nothing else is different.
        let (kind, name) = (declaration.kind, declaration.name.as_str());
        for other in Kind::ALL {
            let more = usize::from(other == kind);
            prop_assert_eq!(after.declared(other).len(), before.declared(other).len() + more);
        }
        prop_assert!(after.declared(kind).iter().any(|(known, _)| *known == name));

        // The text is cut in two, nothing else; a last line without its end gets one.
        let same = text.bytes().zip(added.bytes()).take_while(|(a, b)| a == b).count();
        let tail = text.bytes().rev().zip(added.bytes().rev()).take_while(|(a, b)| a == b).count();
        prop_assert!(same + tail >= text.len(), "more than an insertion:\n{}\n----\n{}", text, added);
        prop_assert_eq!(added.contains("\r\n") , text.contains("\r\n"));
        prop_assert!(!text.contains("\r\n") || !added.replace("\r\n", "").contains('\n'), "mixed line ends");

        // Removed again, the text is what it was.
        let removed = edit::remove(&added, kind, name).unwrap();
        let line_end = if text.contains("\r\n") { "\r\n" } else { "\n" };
        prop_assert!(removed == text || removed == format!("{text}{line_end}"), "{}\n----\n{}\n----\n{}", text, added, removed);
        prop_assert_eq!(meaning(&manifest(&removed)), meaning(&before));
    }

    #[test]
    fn removing_takes_one_declaration_and_nothing_else(text in written(), chosen in any::<prop::sample::Index>()) {
        let before = manifest(&text);
        let all: Vec<(Kind, &str)> =
            Kind::ALL.into_iter().flat_map(|kind| before.declared(kind).into_iter().map(move |(name, _)| (kind, name))).collect();
        prop_assume!(!all.is_empty());
        let (kind, name) = all[chosen.index(all.len())];
        let removed = edit::remove(&text, kind, name).unwrap();
        let after = manifest(&removed);

        let mut expected = meaning(&before);
        for kind_of_entry in ["tools", "prompts"] {
            if kind_of_entry == kind.plural() {
                expected[kind_of_entry].as_array_mut().unwrap().retain(|entry| entry["name"] != name);
            }
        }
        if kind == Kind::Resource {
            for list in expected["resources"].as_array_mut().unwrap() {
                list.as_array_mut().unwrap().retain(|entry| entry["name"] != name);
            }
        }
        prop_assert_eq!(meaning(&after), expected);

        // Lines only go, none changes or moves; and comments that stand by themselves stay.
        let mut left = text.lines();
        for line in removed.lines() {
            prop_assert!(left.any(|old| old == line), "the line {line:?} was changed:\n{text}\n----\n{removed}");
        }
        for line in text.lines().filter(|line| line.starts_with("# ----")) {
            prop_assert!(removed.contains(line), "{line:?} is gone:\n{text}\n----\n{removed}");
        }
    }
}

// ---- rendering ----

/// In every hostile string, to be looked for where it must not be.
const MARK: &str = "OUTSIDE";

const HOSTILE: [&str; 24] = [
    "\"",
    "'",
    "\\",
    "\n",
    "\r\n",
    "\t",
    "{{",
    "}}",
    "{{{name}}}",
    "*/",
    "/*",
    "//",
    "</script>",
    "`",
    "${OUTSIDE}",
    "#",
    ": ",
    "- ",
    "%",
    "🌦",
    "\u{2028}",
    "\u{2029}",
    "\u{1}\u{7f}\u{85}\u{feff}\u{fffe}",
    "\u{1b}[31m",
];

/// Text that would do harm wherever it is not escaped, up to 10 kB of it.
fn hostile() -> impl Strategy<Value = String> {
    let parts = prop::collection::vec(prop::sample::select(HOSTILE.to_vec()), 1..8);
    (parts, prop::bool::weighted(0.05)).prop_map(|(parts, long)| {
        let text: String = parts.iter().map(|part| format!("{part}{MARK}")).collect();
        if long { text.repeat(10_000 / text.len()) } else { text }
    })
}

/// One hostile text for every place of a manifest that takes free text.
#[derive(Debug, Clone)]
struct Texts(Vec<String>);

fn filled(texts: &Texts) -> String {
    let t: Vec<String> = texts.0.iter().map(|text| edit::string(text)).collect();
    format!(
        "[server]\nname = \"s\"\nversion = \"1.0.0\"\ntitle = {}\ndescription = {}\ninstructions = {}\n\
         [tools.a]\ntitle = {}\ndescription = {}\n\
         [tools.a.input]\n{} = {{ type = \"string\", description = {}, default = {} }}\n\
         choice = {{ type = \"string\", title = {}, enum = [{}, \"x\"], examples = [{}] }}\n\
         [tools.a.output]\nx = {{ const = {}, description = {} }}\n\
         [tools.b]\ndescription = {}\ninput_schema = {{ type = \"object\", properties = {{ y = {{ \"$ref\" = \"#/$defs/d\" }} }}, \"$defs\" = {{ d = {{ type = \"string\", description = {}, \"$comment\" = {} }} }} }}\n\
         [resources.r]\nuri = \"x://y\"\ntitle = {}\ndescription = {}\nmime_type = {}\n\
         [prompts.p]\ntitle = {}\ndescription = {}\n[prompts.p.input]\nz = {{ type = \"string\", description = {} }}\n\
         [env]\nA = {}\n[secrets]\nB = {}\n[targets.vercel]\n[targets.cloudflare]\n\
         [targets.lambda]\npolicies = [{{ DynamoDBReadPolicy = {{ TableName = {} }} }}]\n",
        t[0],
        t[1],
        t[2],
        t[3],
        t[4],
        t[5],
        t[6],
        t[7],
        t[8],
        t[9],
        t[10],
        t[11],
        t[12],
        t[13],
        t[14],
        t[15],
        t[16],
        t[17],
        t[18],
        t[19],
        t[20],
        t[21],
        t[22],
        t[23],
        t[24],
    )
}

fn texts() -> impl Strategy<Value = Texts> {
    prop::collection::vec(hostile(), 25).prop_map(Texts)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn hostile_text_stays_in_its_strings(texts in texts()) {
        let toml = filled(&texts);
        let manifest = manifest(&toml);
        let files = template::project(&manifest).unwrap();
        let file = |path: &str| files.0[path].1.as_str();
        let t = &texts.0;

        let data = file("src/generated/manifest.ts").split_once("Manifest = ").unwrap().1.trim_end().trim_end_matches(';');
        let data: Value = serde_json::from_str(data).unwrap();
        prop_assert_eq!(&data["server"]["title"], &json!(t[0]));
        prop_assert_eq!(&data["server"]["description"], &json!(t[1]));
        prop_assert_eq!(&data["server"]["instructions"], &json!(t[2]));
        prop_assert_eq!(&data["tools"][0]["title"], &json!(t[3]));
        prop_assert_eq!(&data["tools"][0]["description"], &json!(t[4]));
        let input = &data["tools"][0]["inputSchema"]["properties"];
        prop_assert_eq!(&input[&t[5]], &json!({ "type": "string", "description": t[6], "default": t[7] }));
        prop_assert_eq!(&input["choice"]["enum"][0], &json!(t[9]));
        prop_assert_eq!(&data["tools"][0]["outputSchema"]["properties"]["x"]["const"], &json!(t[11]));
        prop_assert_eq!(&data["env"]["A"], &json!(t[22]));
        for (sent, declared) in data["tools"].as_array().unwrap().iter().zip(manifest.tool_entries()) {
            for (key, value) in declared.as_object().unwrap() {
                prop_assert_eq!(&sent[key], value);
            }
        }

        let yaml = saphyr::Yaml::load_from_str(file("template.yaml")).unwrap();
        // CloudFormation's linter takes braces for references even here.
        let inert = t[1].replace('{', "(").replace('}', ")");
        let cut = &inert[..inert.floor_char_boundary(1024)];
        prop_assert_eq!(yaml[0]["Description"].as_str(), Some(cut));
        let policy = &yaml[0]["Resources"]["McpFunction"]["Properties"]["Policies"][0]["DynamoDBReadPolicy"];
        prop_assert_eq!(policy["TableName"].as_str(), Some(t[24].as_str()));
        let wrangler: Value = serde_json::from_str(&without_comments(file("wrangler.jsonc"))).unwrap();
        prop_assert_eq!(&wrangler["name"], "s");
        for path in ["package.json", "vercel.json"] {
            let parsed: Value = serde_json::from_str(file(path)).unwrap();
            prop_assert!(parsed.is_object());
        }

        // Whatever is TypeScript: outside of strings and comments none of it may be code.
        for (path, (_, text)) in files.0.iter().filter(|(path, _)| path.ends_with(".ts")) {
            let code = outside_comments_and_strings(text);
            prop_assert!(!code.contains(MARK), "{path}: a text of the manifest became code:\n{text}");
        }
    }
}

#[test]
fn the_pieces_are_what_they_are_said_to_be() {
    // The command refuses a tool that it cannot extend, and leaves no broken file.
    for text in ["tools = { a = { description = 'd' } }\n", "tools.a.description = 'd'\n"] {
        let declaration = Declaration { kind: Kind::Tool, name: "b".into(), entries: Vec::new(), tables: Vec::new() };
        let error = edit::add(text, &declaration).unwrap_err();
        let hint = mcp_deploy::error::hint(&error);
        assert_eq!(hint.as_deref(), Some("write each as a `[tools.NAME]` table"), "{error:#}");
    }
    for piece in PIECES {
        let text = format!("{SERVER}{}", piece.replace("NAME", "1"));
        assert!(sound(&text), "{text}");
    }
}
