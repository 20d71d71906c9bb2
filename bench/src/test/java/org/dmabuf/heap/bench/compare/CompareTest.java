// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.bench.compare;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class CompareTest {
    private static Row row(String group, String name, String contender) {
        return new Row(group, name, List.of(new Series(contender, new double[] {1})));
    }

    @Test
    void theChartHasTheRowsOfAGroupThatCompareEqualWorkOfTheSameContenders() {
        List<Row> all = List.of(
                row("fresh", "16 MiB", "C"),
                row("fresh", "64 MiB", "C"),
                row("fresh", "16 MiB, made and populated", "memset"),
                row("share", "16 MiB", "pipe"));
        assertEquals(
                List.of("16 MiB"),
                names(Compare.panel("", new FreshGroup(), all)).toList());
        assertEquals(
                List.of("16 MiB"),
                names(Compare.panel("", new ShareGroup(), all)).toList());
        assertEquals(
                List.of(), names(Compare.panel("", new LoadGroup(null), all)).toList());
    }

    private static Stream<String> names(Optional<Chart.Panel> panel) {
        return panel.stream().flatMap(one -> one.rows().stream()).map(Row::name);
    }
}
