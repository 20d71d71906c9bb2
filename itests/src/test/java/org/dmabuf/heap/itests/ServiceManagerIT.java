// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.itests;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Map;
import org.junit.After;
import org.junit.Rule;
import org.junit.Test;
import org.junit.rules.TemporaryFolder;

/** Tests of the messages that a gateway sends to the service manager that started it. */
public class ServiceManagerIT {
    /** Prints each datagram as a line. An address that begins with @ is abstract. */
    private static final String MANAGER = """
            import socket, sys
            manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            manager.bind(sys.argv[1].replace("@", "\\0", 1))
            print("bound", flush=True)
            while True:
                print(manager.recv(1000).decode(), flush=True)
            """;

    @Rule
    public TemporaryFolder folder = new TemporaryFolder();

    private Process manager;
    private BufferedReader messages;
    private Process gateway;
    private UnpackedGateway unpacked;

    @After
    public void stop() throws Exception {
        for (Process process : new Process[] {gateway, manager}) {
            if (process != null) {
                process.destroyForcibly().waitFor();
            }
        }
    }

    private void manage(String address) throws IOException {
        manager = new ProcessBuilder("python3", "-c", MANAGER, address)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        messages = manager.inputReader(StandardCharsets.UTF_8);
        assertEquals("bound", messages.readLine());
    }

    private void start(String address, String watchdogMicros) throws Exception {
        unpacked = UnpackedGateway.in(folder.newFolder().toPath());
        ProcessBuilder builder = unpacked.builder("--daemon")
                .redirectInput(Path.of("/dev/null").toFile())
                .redirectOutput(folder.newFile())
                .redirectErrorStream(true);
        builder.environment().put("NOTIFY_SOCKET", address);
        builder.environment().put("WATCHDOG_USEC", watchdogMicros);
        gateway = builder.start();
    }

    @Test
    public void a_daemon_reports_that_it_serves_lives_and_stops() throws Exception {
        String address = folder.getRoot().toPath().resolve("notify").toString();
        manage(address);
        start(address, "4000000");
        assertEquals("READY=1", messages.readLine());
        assertEquals("WATCHDOG=1", messages.readLine());
        assertEquals("WATCHDOG=1", messages.readLine());
        gateway.destroy();
        String last = messages.readLine();
        while ("WATCHDOG=1".equals(last)) {
            last = messages.readLine();
        }
        assertEquals("STOPPING=1", last);
        assertEquals(143, gateway.waitFor());
    }

    @Test
    public void a_daemon_with_an_invalid_time_of_the_watchdog_reports_that_it_serves() throws Exception {
        String address = folder.getRoot().toPath().resolve("notify").toString();
        manage(address);
        start(address, "0");
        assertEquals("READY=1", messages.readLine());
    }

    @Test
    public void a_command_reports_nothing_but_its_end() throws Exception {
        String address = "@dmaheap-test-" + ProcessHandle.current().pid();
        manage(address);
        unpacked = UnpackedGateway.in(folder.newFolder().toPath());
        UnpackedGateway.Ended ended = unpacked.runToEnd(Map.of("NOTIFY_SOCKET", address), "dmaheap:list");
        assertEquals(ended.output(), 0, ended.status());
        assertEquals("STOPPING=1", messages.readLine());
        assertFalse(messages.ready());
    }
}
