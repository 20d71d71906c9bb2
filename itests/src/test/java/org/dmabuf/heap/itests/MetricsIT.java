// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.itests;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertTrue;
import static org.junit.Assert.fail;
import static org.junit.Assume.assumeTrue;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.After;
import org.junit.BeforeClass;
import org.junit.Rule;
import org.junit.Test;
import org.junit.rules.TemporaryFolder;

/** Tests of the metrics and the shipped alert rules with a real Prometheus, which scrapes two gateways. */
public class MetricsIT {
    private static final Path ALERTS =
            Path.of(System.getProperty("gateway")).resolve("lib/prometheus/dmaheap-alerts.yml");
    private static final Pattern SERVED = Pattern.compile("metrics are served at (http://\\S+)");
    private static final long SECONDS = 60;

    @Rule
    public TemporaryFolder folder = new TemporaryFolder();

    private final List<UnpackedGateway> gateways = new ArrayList<>();
    private Process prometheus;
    private String server;

    @BeforeClass
    public static void Prometheus_is_installed() {
        if (!Files.isExecutable(Path.of("/usr/bin/prometheus")) || !Files.isExecutable(Path.of("/usr/bin/promtool"))) {
            String sentence = "Prometheus is not installed (package prometheus)";
            assertFalse(sentence + ", and in CI it has to be", "true".equals(System.getenv("CI")));
            System.out.println("skipped: " + sentence);
            assumeTrue(sentence, false);
        }
    }

    @After
    public void stop() throws Exception {
        if (prometheus != null) {
            prometheus.destroyForcibly().waitFor();
        }
        gateways.forEach(UnpackedGateway::close);
    }

    /** Output of a tool, errors included, which must succeed. */
    private String tool(Path input, String... words) throws Exception {
        Process tool = new ProcessBuilder(words)
                .directory(folder.getRoot())
                .redirectInput(input.toFile())
                .redirectErrorStream(true)
                .start();
        String output = new String(tool.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertEquals(List.of(words) + ": " + output, 0, tool.waitFor());
        return output;
    }

    private String promtool(String... words) throws Exception {
        List<String> all = new ArrayList<>(List.of("/usr/bin/promtool"));
        all.addAll(List.of(words));
        return tool(Path.of("/dev/null"), all.toArray(String[]::new));
    }

    private Path file(String name) {
        return folder.getRoot().toPath().resolve(name);
    }

    @Test
    public void the_alert_rules_fire_when_they_should() throws Exception {
        Files.copy(ALERTS, file("dmaheap-alerts.yml"));
        Files.copy(MetricsIT.class.getResourceAsStream("/metrics/alerts-test.yml"), file("alerts-test.yml"));
        promtool("check", "rules", "dmaheap-alerts.yml");
        promtool("test", "rules", "alerts-test.yml");
    }

    /** Starts a gateway with metrics on a free port. {@return the gateway's address} */
    private URI startGateway() throws Exception {
        UnpackedGateway gateway = UnpackedGateway.in(folder.newFolder().toPath());
        gateways.add(gateway);
        Files.copy(gateway.home().resolve("optional/heap-metrics.jar"), gateway.dropped("heap-metrics.jar"));
        Files.writeString(gateway.home().resolve("etc/org.dmabuf.heap.metrics.cfg"), "port = 0\n");
        gateway.startScript().awaitLogLine("metrics are served at ");
        Matcher served = SERVED.matcher(gateway.log());
        assertTrue(served.find());
        return URI.create(served.group(1));
    }

    /** Starts a Prometheus that finds the gateways by a file, and alerts without delay. */
    private void startPrometheus(List<URI> metrics) throws Exception {
        Files.writeString(
                file("rules.yml"), Files.readString(ALERTS).replaceAll("(?m)^ {8}for: \\w+$", "        for: 1s"));
        Files.writeString(
                file("targets.json"),
                "[{\"targets\": [%s]}]"
                        .formatted(String.join(
                                ", ",
                                metrics.stream()
                                        .map(uri -> '"' + uri.getAuthority() + '"')
                                        .toList())));
        Files.writeString(file("prometheus.yml"), """
                global:
                  scrape_interval: 1s
                  evaluation_interval: 1s
                rule_files: [rules.yml]
                scrape_configs:
                  - job_name: dmaheap
                    file_sd_configs:
                      - files: [targets.json]
                """);
        String address;
        try (ServerSocket free = new ServerSocket(0, 1, InetAddress.ofLiteral("127.0.0.1"))) {
            address = "127.0.0.1:" + free.getLocalPort();
        }
        server = "http://" + address;
        prometheus = new ProcessBuilder(
                        "/usr/bin/prometheus",
                        "--config.file=prometheus.yml",
                        "--storage.tsdb.path=data",
                        "--web.listen-address=" + address)
                .directory(folder.getRoot())
                .redirectErrorStream(true)
                .redirectOutput(file("prometheus.log").toFile())
                .start();
    }

    /** Repeats a query until its result matches. */
    private void await(String query, String expected) throws Exception {
        Pattern pattern = Pattern.compile(expected);
        String last = "";
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(SECONDS);
        while (System.nanoTime() < deadline) {
            Process asked = new ProcessBuilder("/usr/bin/promtool", "query", "instant", server, query)
                    .redirectErrorStream(true)
                    .start();
            last = new String(asked.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            if (asked.waitFor() == 0 && pattern.matcher(last).find()) {
                return;
            }
            assertTrue(log(), prometheus.isAlive());
            Thread.sleep(200);
        }
        fail("no '" + expected + "' for " + query + " within " + SECONDS + " s: " + last + "\n" + log());
    }

    private String log() throws IOException {
        return Files.readString(file("prometheus.log"));
    }

    private void awaitAlert(String name, String label) throws Exception {
        await("ALERTS{alertstate=\"firing\",alertname=\"" + name + "\"," + label + "}", "=> 1 @");
    }

    @Test
    public void prometheus_reads_two_gateways_and_each_alert_fires() throws Exception {
        List<URI> metrics = List.of(startGateway(), startGateway());
        UnpackedGateway first = gateways.getFirst();
        Files.copy(first.home().resolve("examples/vendor-heap.jar"), first.dropped("vendor-heap.jar"));
        startPrometheus(metrics);
        await("sum(up{job=\"dmaheap\"})", "=> 2 @");
        await("count(dmaheap_heap_serving == 1)", "=> 9 @"); // four heaps of each gateway, and the vendor's
        await("ALERTS", "^$");

        first.run("dmaheap:alloc -h system -n frame 1M");
        String one = "instance=\"" + metrics.getFirst().getAuthority() + '"';
        await("dmaheap_heap_live_bytes{heap=\"system\"," + one + "}", "=> 1048576 @");
        await("dmaheap_client_heap_live_bytes{heap=\"system\",client=~\".*shell.*\"," + one + "}", "=> 1048576 @");
        await("dmaheap_heap_allocation_seconds_count{heap=\"system\"," + one + "}", "=> 1 @");
        await("dmaheap_heap_serving{heap=\"acme\"," + one + "}", "=> 1 @");

        Path text = file("metrics.txt");
        try (var in = metrics.getFirst().toURL().openStream()) {
            Files.copy(in, text);
        }
        assertEquals("", tool(text, "/usr/bin/promtool", "check", "metrics"));

        first.run("dmaheap:alloc -h carveout -n big 15M");
        awaitAlert("DmaheapHeapNearlyFull", "heap=\"carveout\"," + one);
        Files.delete(first.dropped("vendor-heap.jar"));
        awaitAlert("DmaheapHeapGone", "heap=\"acme\"," + one);
        Files.copy(TestBundle.leaky("org.example.leaky").jar(), first.dropped("leaky.jar"));
        awaitAlert("DmaheapClientLeaks", "client=\"org.example.leaky\"," + one);
        Files.copy(TestBundle.hangingHeap().jar(), first.dropped("hanging.jar"));
        awaitAlert("DmaheapHeapHangs", one);
        awaitAlert("DmaheapHeapRefused", one);
        gateways.getLast().endScript();
        awaitAlert("DmaheapGatewayDown", "instance=\"" + metrics.getLast().getAuthority() + '"');
    }
}
