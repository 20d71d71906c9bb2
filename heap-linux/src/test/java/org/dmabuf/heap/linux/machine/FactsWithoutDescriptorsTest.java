// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.machine;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.kernel.Fcntl;
import org.dmabuf.heap.linux.kernel.KernelError;
import org.dmabuf.heap.linux.kernel.Udmabuf;
import org.dmabuf.heap.linux.syscall.CountedSyscalls;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Test of facts of the machine that a process without free descriptors cannot read. */
class FactsWithoutDescriptorsTest {
    @Test
    void a_shortage_of_descriptors_neither_hides_addresses_nor_changes_a_limit(@TempDir Path system) throws Exception {
        Files.createDirectories(system.resolve("memory/memory1"));
        Files.writeString(system.resolve("memory/block_size_bytes"), "8000000");
        Files.writeString(system.resolve("size_limit_mb"), "2");
        Process process = new ProcessBuilder(
                        "sh",
                        "-c",
                        "ulimit -n 200 && exec \"$@\"",
                        "sh",
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "--enable-native-access=ALL-UNNAMED",
                        "-XX:+UseSerialGC",
                        "-XX:-MaxFDLimit",
                        "-Xmx64m",
                        "-cp",
                        System.getProperty("java.class.path"),
                        AtTheLimit.class.getName(),
                        system.toString())
                .redirectErrorStream(true)
                .start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertEquals(0, process.waitFor(), output);
        assertEquals("""
                EMFILE open(SYSTEM/size_limit_mb) failed: too many open files
                2097152
                EAGAIN reading SYSTEM/memory failed: SYSTEM/memory: Too many open files
                EMFILE open(SYSTEM/memory/block_size_bytes) failed: too many open files
                """, output.replace(system.toString(), "SYSTEM"));
    }

    /** Program of the process. */
    static final class AtTheLimit {
        public static void main(String[] arguments) throws IOException {
            Path system = Path.of(arguments[0]);
            Path limit = system.resolve("size_limit_mb");
            CountedSyscalls device = new CountedSyscalls();
            device.answerEach("open", () -> Syscalls.linux().open("/dev/null", Fcntl.O_CLOEXEC));
            Udmabuf udmabuf = Udmabuf.open("camera", device.calling(), limit);
            udmabuf.requireWithinLimit(1);
            PhysicalMemory.read(system);
            line(KernelError.of("", "open", -Errno.EMFILE.number())); // loading a class needs a descriptor

            int last = -1;
            for (int fd = open(); fd >= 0; fd = open()) {
                last = fd;
            }
            report(() -> udmabuf.requireWithinLimit(3L << 20));
            System.out.println(udmabuf.limit());
            Syscalls.linux().close(last); // one is enough for a file, and not for a folder
            report(() -> PhysicalMemory.read(system));
            open();
            report(() -> PhysicalMemory.read(system));
        }

        private static int open() {
            return Syscalls.linux().open("/dev/null", Fcntl.O_CLOEXEC);
        }

        private static void report(Runnable reading) {
            try {
                reading.run();
            } catch (HeapException e) {
                System.out.println(line(e));
            }
        }

        private static String line(HeapException shortage) {
            return shortage.errno() + " " + shortage.getMessage().replaceFirst(";.*", "");
        }
    }
}
