//! What EC2 answers.

use aws_smithy_xml::decode::{Document, ScopedDecoder, XmlDecodeError, try_data};
use tenon_translate::Instance;

const ANSWER: &str = "DescribeInstancesResponse";
const END: &str = "</DescribeInstancesResponse>";

/// A page of instances.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Page {
    pub(super) instances: Vec<Instance>,
    /// The token of the next one, if there is one.
    pub(super) next: Option<String>,
}

/// Reads a `DescribeInstancesResponse`.
pub(super) fn page(text: &str) -> Result<Page, XmlDecodeError> {
    let mut document = Document::new(text);
    let mut root = document.root_element()?;
    // Half an answer would take instances away.
    if root.start_el().local() != ANSWER || !text.trim_end().ends_with(END) {
        return Err(XmlDecodeError::custom(format!("not a whole {ANSWER}")));
    }
    let mut page = Page::default();
    while let Some(mut part) = root.next_tag() {
        match part.start_el().local() {
            "reservationSet" => {
                while let Some(mut reservation) = part.next_tag() {
                    of_reservation(&mut reservation, &mut page.instances)?;
                }
            }
            "nextToken" => page.next = text_of(&mut part)?,
            _ => {}
        }
    }
    Ok(page)
}

/// Code and message of an error.
pub(super) fn refusal(text: &str) -> Result<(String, String), XmlDecodeError> {
    let mut document = Document::new(text);
    let mut root = document.root_element()?;
    let (mut code, mut message) = (None, None);
    while let Some(mut errors) = root.next_tag() {
        while let Some(mut error) = errors.next_tag() {
            while let Some(mut part) = error.next_tag() {
                match part.start_el().local() {
                    "Code" => code = text_of(&mut part)?,
                    "Message" => message = text_of(&mut part)?,
                    _ => {}
                }
            }
        }
    }
    let code = code.ok_or_else(|| XmlDecodeError::custom("no code"))?;
    Ok((code, message.unwrap_or_default()))
}

fn of_reservation(
    reservation: &mut ScopedDecoder<'_, '_>,
    instances: &mut Vec<Instance>,
) -> Result<(), XmlDecodeError> {
    while let Some(mut set) = reservation.next_tag() {
        if set.start_el().local() == "instancesSet" {
            while let Some(mut item) = set.next_tag() {
                instances.extend(instance(&mut item)?);
            }
        }
    }
    Ok(())
}

/// An instance, if it runs: whoever does not filter them is not to be trusted.
fn instance(item: &mut ScopedDecoder<'_, '_>) -> Result<Option<Instance>, XmlDecodeError> {
    let mut instance = Instance::default();
    let mut runs = true;
    while let Some(mut part) = item.next_tag() {
        match part.start_el().local() {
            "instanceState" => {
                while let Some(mut part) = part.next_tag() {
                    if part.start_el().local() == "name" {
                        runs = text_of(&mut part)?.as_deref() == Some("running");
                    }
                }
            }
            // One that has no address (yet) says so by an empty one.
            "privateIpAddress" => instance.ip = try_data(&mut part)?.parse().ok(),
            "ipAddress" => instance.public_ip = try_data(&mut part)?.parse().ok(),
            "placement" => {
                while let Some(mut part) = part.next_tag() {
                    if part.start_el().local() == "availabilityZone" {
                        instance.zone = text_of(&mut part)?;
                    }
                }
            }
            "tagSet" => {
                while let Some(mut item) = part.next_tag() {
                    let (key, value) = tag(&mut item)?;
                    instance.tags.insert(key, value);
                }
            }
            _ => {}
        }
    }
    Ok(runs.then_some(instance))
}

fn tag(item: &mut ScopedDecoder<'_, '_>) -> Result<(String, String), XmlDecodeError> {
    let (mut key, mut value) = (None, None);
    while let Some(mut part) = item.next_tag() {
        match part.start_el().local() {
            "key" => key = text_of(&mut part)?,
            "value" => value = text_of(&mut part)?,
            _ => {}
        }
    }
    Ok((key.unwrap_or_default(), value.unwrap_or_default()))
}

/// The text of an element, if it has some.
fn text_of(element: &mut ScopedDecoder<'_, '_>) -> Result<Option<String>, XmlDecodeError> {
    let text = try_data(element)?.into_owned();
    Ok((!text.is_empty()).then_some(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_the_running_instances_of_all_reservations_and_the_next_token() {
        let text = "<?xml version=\"1.0\"?><DescribeInstancesResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\">
            <requestId>1</requestId><reservationSet>
            <item><groupSet><item><groupId>g</groupId></item></groupSet><instancesSet>
              <item><instanceId>i-1</instanceId><privateIpAddress>10.0.0.1</privateIpAddress><ipAddress>192.0.2.1</ipAddress>
                <instanceState><code>16</code><name>running</name></instanceState>
                <placement><availabilityZone>eu-1a</availabilityZone></placement>
                <tagSet><item><key>Team</key><value>a &amp; b</value></item><item><key>empty</key><value/></item></tagSet>
                <networkInterfaceSet><item><privateIpAddress>10.9.9.9</privateIpAddress></item></networkInterfaceSet></item>
              <item><instanceId>i-2</instanceId><privateIpAddress/></item></instancesSet></item>
            <item><instancesSet>
              <item><privateIpAddress>10.0.0.3</privateIpAddress></item>
              <item><instanceState><name>stopping</name></instanceState><privateIpAddress>10.0.0.4</privateIpAddress></item>
            </instancesSet></item>
            </reservationSet><nextToken>more</nextToken></DescribeInstancesResponse>";
        let Page { instances, next } = page(text).unwrap();
        assert_eq!(next.as_deref(), Some("more"));
        assert_eq!(instances.len(), 3);
        assert_eq!(instances[0].ip, "10.0.0.1".parse().ok());
        assert_eq!(instances[0].public_ip, "192.0.2.1".parse().ok());
        assert_eq!(instances[0].zone.as_deref(), Some("eu-1a"));
        assert_eq!(instances[0].tags["Team"], "a & b");
        assert_eq!(instances[0].tags["empty"], "");
        assert_eq!(instances[1], Instance::default());
        assert_eq!(instances[2].ip, "10.0.0.3".parse().ok());
    }

    #[test]
    fn what_is_no_page_is_no_page_without_instances() {
        let whole = "<DescribeInstancesResponse><reservationSet/></DescribeInstancesResponse>\n";
        assert_eq!(page(whole).unwrap(), Page::default());
        for text in ["", "nothing", "<html><body/></html>", &whole[..50]] {
            assert!(page(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_refusal_has_a_code_and_a_message() {
        let text = "<Response><Errors><Error><Code>AuthFailure</Code><Message>AWS was not able to validate</Message></Error></Errors><RequestID>1</RequestID></Response>";
        let (code, message) = refusal(text).unwrap();
        assert_eq!(
            (&*code, &*message),
            ("AuthFailure", "AWS was not able to validate")
        );
        assert!(refusal("<html></html>").is_err());
    }
}
