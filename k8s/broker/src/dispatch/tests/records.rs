//! What is sent comes back.

use super::*;

#[tokio::test]
async fn records_come_back_as_they_were_sent_in_all_versions() {
    let table = Table::with_a_topic().await;
    for version in [3, 9] {
        let ResponseKind::Produce(response) = table
            .ask(ApiKey::Produce, version, produce(&batch(&["x"])))
            .await
        else {
            unreachable!()
        };
        let partition = &response.responses[0].partition_responses[0];
        assert_eq!(partition.error_code, 0);
    }
    for version in [4, 12] {
        let ResponseKind::Fetch(response) = table.ask(ApiKey::Fetch, version, fetch(version)).await
        else {
            unreachable!()
        };
        let partition = &response.responses[0].partitions[0];
        assert_eq!((partition.error_code, partition.high_watermark), (0, 2));
        let both = [
            crate::batch::placed(&batch(&["x"]), 0),
            crate::batch::placed(&batch(&["x"]), 1),
        ]
        .concat();
        assert_eq!(partition.records.as_ref().unwrap(), &both);
    }
    for version in [1, 7] {
        let ResponseKind::ListOffsets(response) = table
            .ask(ApiKey::ListOffsets, version, list_offsets())
            .await
        else {
            unreachable!()
        };
        let offsets: Vec<_> = response.topics[0]
            .partitions
            .iter()
            .map(|p| (p.error_code, p.offset))
            .collect();
        assert_eq!(
            offsets,
            [(0, 2), (0, 0), (0, 0), (0, -1)],
            "end, begin, at a time, after the last"
        );
    }
}

#[tokio::test]
async fn a_fetch_waits_and_is_woken_by_the_first_record() {
    let table = Table::with_a_topic().await;
    let (fetched, ()) = tokio::join!(table.ask(ApiKey::Fetch, 11, fetch(11)), async {
        tokio::task::yield_now().await;
        table.ask(ApiKey::Produce, 9, produce(&batch(&["x"]))).await;
    });
    let ResponseKind::Fetch(response) = fetched else {
        unreachable!()
    };
    assert_eq!(response.responses[0].partitions[0].high_watermark, 1);
}

#[tokio::test(start_paused = true)]
async fn a_fetch_without_records_ends_with_the_clients_patience() {
    let table = Table::with_a_topic().await;
    let began = tokio::time::Instant::now();
    table.ask(ApiKey::Fetch, 4, fetch(4)).await;
    assert_eq!(began.elapsed().as_secs(), 5);
}
