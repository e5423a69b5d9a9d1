//! Headers whose values are secrets.

use super::*;

const KEYS: &str = "secrets/default/keys.yaml\nheader: {headers: {x-key: hidden}}";
const NAME: &str = "header/default/keys/x-key";

fn with_secret(upstream: &str) -> String {
    format!(
        "{{routeAction: {{single: {{upstream: {{name: {upstream}}}}}}}, options: {{headerManipulation: {{requestHeadersToAdd: [{{headerSecretRef: {{name: keys}}}}]}}}}}}"
    )
}

fn value(fixture: &Fixture, name: &str) -> Option<String> {
    let id = fixture.id(ResourceType::Secret, name);
    let resource = fixture.translator.resources.get(&id)?;
    Some(String::from_utf8_lossy(&resource.value).into_owned())
}

#[test]
fn a_new_value_changes_its_secret_only_and_a_new_name_what_sends_it() {
    let mut fixture = Fixture::new(&[KEYS, WEB, &host("a", &with_secret("web"))]);
    assert!(value(&fixture, NAME).unwrap().contains("hidden"));
    let everything = fixture.translator.resources.sorted();
    for (id, resource) in everything.filter(|(id, _)| id.kind != ResourceType::Secret) {
        let text = String::from_utf8_lossy(&resource.value);
        assert!(!text.contains("hidden"), "{id:?}");
    }
    let changed = fixture.apply(vec![file(&KEYS.replace("hidden", "other"))]);
    assert_eq!(changed, [NAME]);
    assert!(value(&fixture, NAME).unwrap().contains("other"));
    fixture.apply(vec![file(&KEYS.replace("x-key", "x-new"))]);
    let kinds = [
        ResourceType::Listener,
        ResourceType::Route,
        ResourceType::Secret,
        ResourceType::Secret,
    ];
    assert_eq!(fixture.kinds(), kinds);
    assert_eq!(value(&fixture, NAME), None);
    assert!(value(&fixture, "header/default/keys/x-new").is_some());
    fixture.apply(vec![file(&host("a", &to("web")))]);
    assert_eq!(value(&fixture, "header/default/keys/x-new"), None);
}

#[test]
fn a_secret_that_is_gone_leaves_the_last_good_form_without_its_value() {
    let mut fixture = Fixture::new(&[KEYS, WEB, &host("a", &with_secret("web"))]);
    let routes = fixture.routes();
    let changed = fixture.apply(vec![Change::Delete(key(Kind::Secret, "keys"))]);
    assert_eq!(changed, [NAME]);
    assert_eq!(fixture.routes(), routes);
    assert!(!value(&fixture, NAME).unwrap().contains("hidden"));
    assert_eq!(fixture.state(Kind::VirtualService, "a"), State::Rejected);
    assert_eq!(
        fixture.messages(Kind::VirtualService, "a"),
        [
            "secret default/keys does not exist",
            "its last good form stays in use",
        ]
    );
    fixture.apply(vec![file(KEYS)]);
    assert!(value(&fixture, NAME).unwrap().contains("hidden"));
    assert_eq!(fixture.state(Kind::VirtualService, "a"), State::Accepted);
}

#[test]
fn secrets_can_be_kept_in_the_namespace_of_the_upstreams_that_they_go_to() {
    let options = TranslatorOptions {
        module: Module::So("/libtenon.so".into()),
        default_bind: "127.0.0.1:8080".parse().unwrap(),
        parts_above: TranslatorOptions::PARTS_ABOVE,
        more_parts_above: TranslatorOptions::MORE_PARTS_ABOVE,
        trees_above: TranslatorOptions::TREES_ABOVE,
        header_secrets_of_upstreams_namespace: true,
    };
    let mut fixture = Fixture {
        translator: Translator::new(options),
        told: Update::default(),
    };
    let elsewhere = WEB.replace("default", "other");
    let far = "{name: web, namespace: other}";
    let of_host = |routes: &str| {
        format!(
            "virtualservices/default/h.yaml\nvirtualHost: {{domains: [h.example.com], options: {{headerManipulation: {{requestHeadersToAdd: [{{headerSecretRef: {{name: keys}}}}]}}}}, routes: [{routes}]}}"
        )
    };
    let far_route = with_secret("web").replace("{name: web}", far);
    fixture.apply(
        [
            KEYS,
            WEB,
            &elsewhere,
            &host("near", &with_secret("web")),
            &host("far", &far_route),
            &of_host(&to("web")),
        ]
        .into_iter()
        .map(file)
        .collect(),
    );
    assert_eq!(fixture.state(Kind::VirtualService, "near"), State::Accepted);
    assert_eq!(fixture.state(Kind::VirtualService, "h"), State::Accepted);
    assert_eq!(
        fixture.messages(Kind::VirtualService, "far"),
        ["secret default/keys does not exist"]
    );
    let both = format!("{}, {}", to("web"), to("web").replace("{name: web}", far));
    fixture.apply(vec![file(&of_host(&both))]);
    assert_eq!(fixture.state(Kind::VirtualService, "h"), State::Rejected);
}
