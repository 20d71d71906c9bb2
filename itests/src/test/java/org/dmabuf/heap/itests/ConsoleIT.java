// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.itests;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertTrue;
import static org.junit.Assert.fail;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.GeneralSecurityException;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import javax.crypto.SecretKeyFactory;
import javax.crypto.spec.PBEKeySpec;
import org.junit.After;
import org.junit.Before;
import org.junit.Rule;
import org.junit.Test;
import org.junit.rules.TemporaryFolder;

/** Tests of the optional web console: it starts only with a password, and a browser shows the page. */
public class ConsoleIT {
    private static final String PASSWORD = "a long password";
    private static final int ITERATIONS = 100_000;
    private static final int UNAUTHORIZED = 401;
    private static final int FORBIDDEN = 403;
    private static final int MOST_TRIES = 600;
    private static final Path BROWSER = Path.of("/usr/bin/chromium");

    @Rule
    public final TemporaryFolder folder = new TemporaryFolder();

    private final HttpClient client = HttpClient.newHttpClient();
    private UnpackedGateway gateway;
    private int port;

    @Before
    public void unpack() throws Exception {
        gateway = UnpackedGateway.in(folder.newFolder("unpacked").toPath());
        try (Stream<Path> jars = Files.list(gateway.home().resolve("optional/console"))) {
            for (Path jar : jars.toList()) {
                Files.copy(jar, gateway.dropped(jar.getFileName().toString()));
            }
        }
        try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            port = free.getLocalPort();
        }
        Files.writeString(
                gateway.home().resolve("etc/gateway.properties"),
                "\norg.osgi.service.http.port = " + port + "\n",
                StandardOpenOption.APPEND);
    }

    @After
    public void close() {
        gateway.close();
        client.shutdownNow();
    }

    private void configure(String password, String... more) throws IOException, GeneralSecurityException {
        byte[] salt = "salt of a test".getBytes(StandardCharsets.US_ASCII);
        byte[] hash = SecretKeyFactory.getInstance("PBKDF2WithHmacSHA256")
                .generateSecret(new PBEKeySpec(password.toCharArray(), salt, ITERATIONS, 256))
                .getEncoded();
        HexFormat hex = HexFormat.of();
        Files.writeString(
                gateway.home().resolve("etc/org.dmabuf.heap.console.cfg"),
                "password.hash = " + ITERATIONS + ":" + hex.formatHex(salt) + ":" + hex.formatHex(hash) + "\n"
                        + String.join("\n", more));
    }

    private HttpRequest.Builder request(String path, String user, String password) {
        String pair = Base64.getEncoder().encodeToString((user + ":" + password).getBytes(StandardCharsets.UTF_8));
        return HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + "/system/console" + path))
                .header("Authorization", "Basic " + pair);
    }

    private HttpResponse<String> send(HttpRequest.Builder request) throws IOException, InterruptedException {
        return client.send(request.build(), HttpResponse.BodyHandlers.ofString());
    }

    /** Waits for the console, which starts after its configuration is read. */
    private void awaitConsole() throws Exception {
        for (int tries = 0; tries < MOST_TRIES; tries++) {
            try {
                if (send(request("/dmaheap", "operator", PASSWORD)).statusCode() == 200) {
                    return;
                }
            } catch (IOException e) {
                // the server has not started
            }
            Thread.sleep(100);
        }
        fail("the console does not start: " + gateway.log());
    }

    @Test
    public void without_a_password_of_its_own_the_console_does_not_start() throws Exception {
        gateway.startDaemon();
        gateway.awaitLogLine("starting the web console failed: no password is configured; set password.hash in"
                + " etc/org.dmabuf.heap.console.cfg");
        gateway.awaitLogLine("the gateway is up");
        assertEquals(404, send(request("/bundles", "admin", "admin")).statusCode());
        configure("admin");
        gateway.awaitLogLine("expected another password than the default one");
        assertEquals(404, send(request("/bundles", "admin", "admin")).statusCode());
        configure(PASSWORD, "user = a:b");
        gateway.awaitLogLine("invalid user = a:b in etc/org.dmabuf.heap.console.cfg: expected a name without ':'");
        assertEquals(404, send(request("/bundles", "admin", "admin")).statusCode());
        configure(PASSWORD);
        awaitConsole();
        for (String path : List.of("", "/bundles", "/configMgr", "/dmaheap", "/dmaheap/state.json")) {
            assertEquals(
                    path, UNAUTHORIZED, send(request(path, "admin", "admin")).statusCode());
        }
        HttpRequest.Builder post = request("/bundles", "operator", PASSWORD)
                .header("Sec-Fetch-Site", "cross-site")
                .POST(HttpRequest.BodyPublishers.ofString("action=refreshPackages"));
        assertEquals(FORBIDDEN, send(post).statusCode());
        HttpRequest.Builder other = request("/bundles", "operator", PASSWORD)
                .header("Origin", "http://127.0.0.1:1")
                .POST(HttpRequest.BodyPublishers.ofString("action=refreshPackages"));
        assertEquals(FORBIDDEN, send(other).statusCode());
        assertEquals(
                List.of("frame-ancestors 'self'"),
                send(request("/bundles", "operator", PASSWORD)).headers().allValues("Content-Security-Policy"));
    }

    @Test
    public void a_browser_shows_heaps_regions_clients_and_buffers_and_runs_no_name_as_markup() throws Exception {
        if (!Files.isExecutable(BROWSER)) {
            String reason = "skipped: " + BROWSER + " is not installed; install Debian's chromium";
            assertFalse(reason, "true".equals(System.getenv("CI")));
            System.out.println(reason);
            return;
        }
        configure(PASSWORD);
        gateway.startScript();
        awaitConsole();
        gateway.run("dmaheap:alloc -n '<img src onerror=alert(1)>' -h carveout 1M");
        Path profile = folder.newFolder("profile").toPath();
        Path shown = folder.newFile("page.html").toPath();
        Path log = folder.newFile("browser.log").toPath();
        Process browser = new ProcessBuilder(
                        BROWSER.toString(),
                        "--headless=new",
                        "--no-sandbox",
                        "--disable-gpu",
                        "--enable-logging=stderr",
                        "--user-data-dir=" + profile,
                        "--virtual-time-budget=5000",
                        "--dump-dom",
                        "http://operator:" + PASSWORD.replace(" ", "%20") + "@127.0.0.1:" + port
                                + "/system/console/dmaheap")
                .redirectOutput(shown.toFile())
                .redirectError(log.toFile())
                .start();
        try {
            assertTrue("the browser does not end", browser.waitFor(120, TimeUnit.SECONDS));
        } finally {
            browser.destroyForcibly().waitFor();
        }
        String page = Files.readString(shown);
        String printed = Files.readString(log, StandardCharsets.ISO_8859_1);
        assertFalse(printed, printed.contains("Uncaught") || printed.contains("heaps.js"));
        assertTrue(page, page.contains("<p id=\"dmaheap-problem\"></p>"));
        assertTrue(page, page.contains("<td class=\"\">carveout</td><td class=\"\">serving</td>"));
        assertTrue(page, page.contains("<td class=\"\">org.dmabuf.heap.shell</td>"));
        assertTrue(page, page.contains("<td class=\"\">&lt;img src onerror=alert(1)&gt;</td>"));
        assertTrue(page, page.contains("class=\"used\"><title>used, 1 MiB at 0\nbuffer &lt;img src onerror"));
        assertFalse(page, page.contains("<img src onerror"));
        gateway.endScript();
    }
}
