// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.lang.reflect.Proxy;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import org.apache.felix.gogo.runtime.CommandProcessorImpl;
import org.apache.felix.service.command.CommandSession;
import org.dmabuf.heap.BufferRecord;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.HeapMonitor;
import org.dmabuf.heap.linux.process.Holder;
import org.dmabuf.heap.linux.process.SharedFile;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class HolderCommandTest {
    private static final ClientId CLIENT = ClientId.of("uid", "1000");

    private final List<BufferRecord> buffers = new ArrayList<>();
    private final HeapMonitor monitor = (HeapMonitor) Proxy.newProxyInstance(
            getClass().getClassLoader(), new Class<?>[] {HeapMonitor.class}, (_, _, _) -> List.copyOf(buffers));
    private final HolderCommand command = new HolderCommand(monitor);
    private final CommandProcessorImpl processor = new CommandProcessorImpl();
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final CommandSession session = processor.createSession(
            new ByteArrayInputStream(new byte[0]), new PrintStream(out, true), new PrintStream(out, true));
    private final int memfd = Syscalls.linux().memfdCreate("frame", 0);

    HolderCommandTest() {
        processor.addCommand("dmaheap", command, "holders");
    }

    @AfterEach
    void close() {
        session.close();
        processor.stop();
        Syscalls.linux().close(memfd);
    }

    private static BufferRecord.Builder buffer(String name) {
        return BufferRecord.of("system", CLIENT, 4096).name(Optional.of(name));
    }

    private BufferRecord exported(String name) {
        return buffer(name)
                .exported(true)
                .inode(OptionalLong.of(Syscalls.linux().inode(memfd)))
                .fileSystem(OptionalLong.of(Syscalls.linux().device(memfd)))
                .build();
    }

    private static String flowing(HolderReport report) {
        return report.narrow().replaceAll("\\s+", " ");
    }

    private String run(String line) throws Exception {
        out.reset();
        assertEquals(null, session.execute(line));
        return out.toString(StandardCharsets.UTF_8);
    }

    @Test
    void the_process_of_a_descriptor_is_found() throws Exception {
        buffers.add(exported("frame"));
        buffers.add(buffer("kept").build());
        String printed = run("dmaheap:holders");
        long pid = ProcessHandle.current().pid();
        assertTrue(
                printed.lines()
                        .anyMatch(line -> line.matches("frame +system +4 KiB +\\d+ +" + pid + " .* " + memfd + " +-")),
                printed);
        assertTrue(
                printed.lines().anyMatch(line -> line.matches("kept +system +4 KiB +- +- +\\(private\\) +- +-")),
                printed);
        assertTrue(printed.contains("\nThe kernel counts only holders of dma-bufs."), printed);
        assertTrue(run("dmaheap:holders --json frame").contains("\"descriptors\":[" + memfd + "]"));
        assertFalse(run("dmaheap:holders frame").contains("kept"));
    }

    @Test
    void a_name_is_a_buffers_and_is_completed() {
        buffers.add(exported("frame"));
        assertEquals(Optional.of(List.of("frame")), command.values("NAME"));
        assertEquals(
                "unknown buffer 'x': expected one of frame",
                assertThrows(CommandFailure.class, () -> session.execute("dmaheap:holders x"))
                        .toString());
        assertTrue(assertThrows(CommandFailure.class, () -> session.execute("dmaheap:holders --all frame"))
                .toString()
                .startsWith("give NAME or --all, not both; usage: dmaheap:holders"));
    }

    @Test
    void imports_and_messages_are_the_rest_of_the_count() {
        SharedFile file = SharedFile.ofDmaBuf(
                13, 77, 4096, 5, "system", "x", List.of(new Holder(7, "camera", List.of(3, 4), 1, 4096)));
        HolderReport report = new HolderReport(
                List.of(new HeldMemory(Optional.of(exported("frame")), Optional.of(file))), List.of(), List.of());
        assertTrue(flowing(report).contains(" 7 camera 3,4 1 "), report.narrow());
        assertTrue(flowing(report).contains(" - (count +2) - - "), report.narrow());
        assertTrue(flowing(report).contains("These are imports into devices and messages under way."), report.narrow());
        assertTrue(report.wide().lines().anyMatch(line -> line.matches("frame.* uid:1000 +system .* 5 +7 .* 4 KiB")));
    }

    @Test
    void lines_fit_80_columns_and_names_of_processes_cannot_break_them() {
        SharedFile file = SharedFile.ofDmaBuf(
                13,
                4_000_000_000L,
                1L << 40,
                70_000,
                "a-very-long-exporter",
                "a name\nof 31 bytes, by any holder",
                List.of(new Holder(4_194_304, "a\u001b[2J\n process", List.of(100, 200, 300, 400, 500), 65_530, 9)));
        HolderReport report = new HolderReport(
                List.of(),
                List.of(new HeldMemory(Optional.empty(), Optional.of(file))),
                List.of("A limit. ".repeat(20)));
        report.narrow().lines().forEach(line -> assertTrue(line.length() <= 80, line));
        assertTrue(report.wide().contains("a\\u001b[2J\\u000a process"), report.wide());
        assertTrue(flowing(report).contains("and processes that could not be read."), report.narrow());
    }
}
