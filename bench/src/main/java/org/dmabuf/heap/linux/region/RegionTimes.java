// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.region;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.util.Statistics;

/**
 * Program that runs {@link RegionAllocatorBenchmark} and writes percentiles into a text. Started by {@code
 * bench/region-times}.
 */
public final class RegionTimes {
    private static final String BEGIN = "<!-- from here by bench/region-times -->\n";
    private static final String END = "<!-- to here by bench/region-times -->\n";

    private RegionTimes() {}

    /**
     * Runs the benchmark.
     *
     * @param args the file with a place for the table
     * @throws IOException when it cannot be read or written
     * @throws RunnerException when the benchmark fails
     */
    public static void main(String[] args) throws IOException, RunnerException {
        Path file = Path.of(args[0]);
        String text = Files.readString(file);
        int begin = text.indexOf(BEGIN);
        int end = text.indexOf(END);
        if (begin < 0 || end < begin) {
            throw new IOException(file + " has no place for the table; put back the two lines with bench/region-times");
        }
        String table = table();
        System.out.print(table);
        Files.writeString(file, text.substring(0, begin + BEGIN.length()) + table + text.substring(end));
    }

    private static String table() throws RunnerException {
        StringBuilder table = new StringBuilder(String.format(
                Locale.ROOT,
                """
                %d cores, Linux %s, a load average of %.1f at the start:

                | what | alignment | median | p90 | p99 | p99.9 |
                |---|---|---:|---:|---:|---:|
                """,
                Runtime.getRuntime().availableProcessors(),
                System.getProperty("os.version").replaceFirst("[^0-9.].*", ""),
                ManagementFactory.getOperatingSystemMXBean().getSystemLoadAverage()));
        for (RunResult result : new Runner(new OptionsBuilder()
                        .include(RegionAllocatorBenchmark.class.getName())
                        .mode(Mode.SampleTime)
                        .build())
                .run()) {
            Statistics nanos = result.getPrimaryResult().getStatistics();
            table.append(String.format(
                    Locale.ROOT,
                    "| %s | %s | %.0f | %.0f | %.0f | %.0f |%n",
                    result.getParams().getBenchmark().endsWith("choose") ? "`choose`" : "close and allocate",
                    result.getParams().getParam("cap").equals("4096") ? "page" : "CMA, to 1 MiB",
                    nanos.getPercentile(50),
                    nanos.getPercentile(90),
                    nanos.getPercentile(99),
                    nanos.getPercentile(99.9)));
        }
        return table.toString();
    }
}
