// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.source;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.holder.HolderTracker;
import org.dmabuf.heap.linux.kernel.KernelError;
import org.dmabuf.heap.linux.machine.MlockLimitTest;
import org.dmabuf.heap.linux.pool.PoolBudget;
import org.dmabuf.heap.linux.pool.PooledSource;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapRequest;
import org.junit.jupiter.api.Test;

/**
 * Tests of the limits of a process, each in a separate process: the kernel refuses, the message names the remedy, and
 * the process continues. {@link MlockLimitTest} tests RLIMIT_MEMLOCK; the tests on a real kernel test udmabuf's limit.
 */
class LimitsTest {
    private static final String PAGE = Bytes.text(Bytes.PAGE);

    private static String meet(String limit, String... before) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of(before));
        command.addAll(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--enable-native-access=ALL-UNNAMED",
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "-XX:-MaxFDLimit",
                "-XX:ErrorFile=/dev/null", // a crash fails the test and leaves no file
                "-Xms64m",
                "-Xmx64m",
                "-cp",
                System.getProperty("java.class.path"),
                AtTheLimit.class.getName(),
                limit));
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertEquals(0, process.waitFor(), output);
        return output;
    }

    /** Uses a new user namespace with separate limits, so that the inotify of other processes is not affected. */
    private static String meetInNamespace(String limit, String setting, int value) throws Exception {
        Process probe = new ProcessBuilder(
                        "sh", "-c", "unshare --user --map-root-user sh -c 'test -w /proc/sys/user/" + setting + "'")
                .redirectErrorStream(true)
                .start();
        probe.getInputStream().readAllBytes();
        assumeTrue(probe.waitFor() == 0, "skipped: no user namespace with a writable user." + setting);
        return meet(
                limit,
                "unshare",
                "--user",
                "--map-root-user",
                "sh",
                "-c",
                "echo " + value + " >/proc/sys/user/" + setting + " && exec \"$@\"",
                "sh");
    }

    @Test
    void at_the_descriptor_limit_the_remedy_is_to_raise_it() throws Exception {
        List<String> lines = meet("descriptors", "sh", "-c", "ulimit -n 200 && exec \"$@\"", "sh")
                .lines()
                .toList();
        assertEquals(3, lines.size(), lines::toString);
        String remedy = ": too many open files; close buffers and descriptors, or raise the process's limit (ulimit -n,"
                + " LimitNOFILE= in a unit)";
        assertTrue(lines.getFirst().startsWith("EMFILE heap 'system': "), lines::toString);
        assertTrue(lines.getFirst().endsWith(remedy), lines::toString);
        // Later, when the machine must be read again and no descriptor is free for that.
        assertEquals(
                "EMFILE heap 'system': cannot check whether " + PAGE + " fits: open(/proc/meminfo) failed" + remedy,
                lines.get(1));
        assertEquals("served again", lines.get(2));
    }

    @Test
    void at_the_mapping_limit_the_remedy_is_vm_max_map_count_and_no_other_heap_is_asked() throws Exception {
        assertEquals("""
                ENOMEM heap 'system': mmap refused a buffer of PAGE: cannot allocate memory; end arenas that are no \
                longer needed, or raise vm.max_map_count
                EAGAIN heap 'system': mmap refused a buffer of PAGE: cannot allocate memory; end arenas that are no \
                longer needed, or raise vm.max_map_count
                EAGAIN heap 'system': mmap refused a buffer of PAGE: cannot allocate memory; end arenas that are no \
                longer needed, or raise vm.max_map_count
                served again
                """.replace("PAGE", PAGE), meet("mappings"));
    }

    @Test
    void at_the_limit_of_inotify_instances_the_remedy_is_to_raise_it() throws Exception {
        assertEquals("""
                EMFILE heap 'system': inotify_init1 refused a buffer of PAGE: too many open files; raise \
                fs.inotify.max_user_instances, or close buffers and descriptors, or raise the process's limit (ulimit \
                -n, LimitNOFILE= in a unit)
                served again
                """.replace("PAGE", PAGE), meetInNamespace("watches", "max_inotify_instances", 0));
    }

    @Test
    void at_the_limit_of_inotify_watches_the_remedy_is_to_raise_it() throws Exception {
        assertEquals("""
                ENOSPC heap 'system': inotify_add_watch refused a buffer of PAGE: no space left on device; raise \
                fs.inotify.max_user_watches, or close exported buffers
                served again
                """.replace("PAGE", PAGE), meetInNamespace("watches", "max_inotify_watches", 3));
    }

    /** Program of those processes. */
    static final class AtTheLimit {
        private static final HeapRequest PLAIN = HeapRequest.of(Bytes.PAGE);

        private final MemfdSource source = MemfdSource.open("system", Syscalls.linux(), Headroom.machine());
        private final List<HeapBuffer> held = new ArrayList<>();

        public static void main(String[] arguments) {
            KernelError.of("", "open", -Errno.EMFILE.number()); // loading a class from a folder needs a descriptor
            AtTheLimit process = new AtTheLimit();
            switch (arguments[0]) {
                case "descriptors" -> process.descriptors();
                case "mappings" -> process.mappings();
                case "watches" -> process.watches();
                default -> throw new IllegalArgumentException(arguments[0]);
            }
            process.source.allocate(PLAIN).release();
            System.out.println("served again");
        }

        private static String line(HeapException refusal) {
            return refusal.errno() + " " + refusal.getMessage();
        }

        private void descriptors() {
            refusedPage(); // loads the classes of a refusal, which cannot be loaded at the limit
            String first = "";
            try {
                while (held.size() < 1000) {
                    held.add(source.allocate(PLAIN));
                }
            } catch (HeapException e) {
                first = line(e);
            }
            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(60)); // until the last reading is too old
            String later = "";
            try {
                held.add(source.allocate(PLAIN));
            } catch (HeapException e) {
                later = line(e);
            }
            held.forEach(HeapBuffer::release);
            System.out.println(first);
            System.out.println(later);
        }

        private void refusedPage() {
            line(KernelError.of("system", Bytes.PAGE, "memfd_create", -Errno.EMFILE.number()));
        }

        private void mappings() {
            MemorySource pooled = PooledSource.over(
                    source,
                    "system",
                    Syscalls.linux(),
                    Headroom.machine(),
                    PoolBudget.none().withRecycled(Bytes.PAGE));
            pooled.allocate(HeapRequest.of(Bytes.PAGE).withExport(ExportMode.NONE))
                    .release();
            pooled.trim(Long.MAX_VALUE);
            line(HeapException.of(Errno.EINVAL, "system", "")); // of this test; the source has loaded its own classes
            HeapBuffer page = source.allocate(PLAIN);
            long[] addresses = new long[1 << 20];
            int count = 0;
            List<String> lines = new ArrayList<>();
            // Every other mapping is read-only, because the kernel would merge equal neighbours.
            for (long address = 0; address >= 0 && count < addresses.length; ) {
                address = Syscalls.linux().mmap(0, Bytes.PAGE, 1 + 2 * (count & 1), 1, page.descriptor(), 0);
                if (address >= 0) {
                    addresses[count++] = address;
                }
            }
            try {
                page.map(Access.READ);
            } catch (HeapException e) {
                lines.add(line(e));
            }
            for (HeapRequest needsMapping : List.of(
                    HeapRequest.of(Bytes.PAGE).withExport(ExportMode.READ_ONLY),
                    HeapRequest.of(Bytes.PAGE).withExport(ExportMode.NONE))) {
                try {
                    pooled.allocate(needsMapping);
                } catch (HeapException e) {
                    lines.add(line(e));
                }
            }
            for (int i = 0; i < count; i++) {
                Syscalls.linux().munmap(addresses[i], Bytes.PAGE);
            }
            lines.forEach(System.out::println);
            MemorySegment mapping = page.map(Access.READ_WRITE);
            page.unmap(mapping);
            page.release();
            pooled.close();
        }

        private void watches() {
            try (HolderTracker peers = new HolderTracker()) {
                for (int i = 0; i < 10; i++) {
                    held.add(source.allocate(PLAIN));
                    peers.watch("system", Bytes.PAGE, held.getLast().descriptor());
                }
            } catch (HeapException e) {
                System.out.println(line(e));
            }
            held.forEach(HeapBuffer::release);
        }
    }
}
