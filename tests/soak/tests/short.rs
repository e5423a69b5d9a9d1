//! The soak in short, so that it cannot rot: all but the growth of memory is judged.

use std::time::Duration;

use tenon_e2e::on_both_hosts;

on_both_hosts! {
    async fn mixed_traffic_under_edits_is_answered_as_it_has_to_be(filter: Filter) -> Result<()> {
        let report = tenon_soak::run(filter, Duration::from_secs(10)).await?;
        assert_eq!(report.complaints(), Vec::<String>::new(), "{report}");
        Ok(())
    }
}
