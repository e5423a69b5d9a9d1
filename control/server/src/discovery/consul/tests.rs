use super::*;

fn instance(ip: &str) -> Instance {
    Instance {
        ip: ip.parse().ok(),
        ..Instance::default()
    }
}

fn list(names: &[&str]) -> List {
    let mut list = List::default();
    let names = names.iter().map(|&name| name.to_owned()).collect();
    list.replace(names, |_| Running(tokio::spawn(std::future::pending())));
    list
}

fn found(list: &mut List, name: &str, instances: Option<&[&str]>, problem: Option<&str>) {
    let of = list.centers.get_mut(name).unwrap();
    let instances = instances.map(|ips| ips.iter().map(|ip| instance(ip)).collect());
    of.instances = instances.or(of.instances.take());
    of.problem = problem.map(str::to_owned);
}

#[tokio::test]
async fn nothing_is_told_before_each_data_centre_has_answered_or_failed() {
    let mut list = list(&["dc1", "dc2"]);
    assert_eq!(list.state(), None);
    found(&mut list, "dc1", Some(&["10.0.0.1"]), None);
    assert_eq!(list.state(), None);
    found(&mut list, "dc2", None, Some("no path"));
    let problem = Some("data centre dc2: no path".to_owned());
    assert_eq!(
        list.state(),
        Some((Some(vec![instance("10.0.0.1")]), problem))
    );
}

#[tokio::test]
async fn a_data_centre_that_fails_keeps_what_it_had() {
    let mut list = list(&["dc1", "dc2"]);
    found(&mut list, "dc1", Some(&["10.0.0.1"]), None);
    found(&mut list, "dc2", Some(&["10.0.0.2"]), None);
    let both = Some(vec![instance("10.0.0.1"), instance("10.0.0.2")]);
    found(&mut list, "dc2", None, Some("no path"));
    assert_eq!(list.state().unwrap().0, both);
    // It is not known which there are: those that were stay.
    list.problem = Some("no leader".to_owned());
    let problem = list.state().unwrap().1;
    assert_eq!(
        problem.as_deref(),
        Some("no leader; data centre dc2: no path")
    );
    list.replace(vec!["dc1".to_owned()], |_| panic!("dc1 is followed"));
    assert_eq!(list.state(), Some((Some(vec![instance("10.0.0.1")]), None)));
}

#[tokio::test]
async fn without_any_answer_there_is_only_the_reason() {
    let list = List {
        problem: Some("no answer".to_owned()),
        ..List::default()
    };
    assert_eq!(list.state(), Some((None, Some("no answer".to_owned()))));
}
