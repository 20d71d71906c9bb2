// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.machine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.dmabuf.heap.linux.syscall.CountedSyscalls;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PressureStallTest {
    @Test
    void the_lost_time_is_the_total_of_the_line_some(@TempDir Path folder) throws IOException {
        Path file = folder.resolve("memory.pressure");
        Files.writeString(file, """
                some avg10=0.00 avg60=0.12 avg300=0.00 total=1500000
                full avg10=0.00 avg60=0.00 avg300=0.00 total=7
                """);
        assertEquals(
                Optional.of(Duration.ofMillis(1500)),
                PressureStall.total(List.of(folder.resolve("absent").toString(), file.toString())));
        assertEquals(Optional.empty(), PressureStall.total(List.of("/proc/self/stat")));
    }

    private static final String MACHINE = "/proc/pressure/memory";

    @Test
    void a_kernel_with_pressure_stall_information_accepts_the_trigger() {
        assumeTrue(Files.isWritable(Path.of(MACHINE)), "skipped: this kernel has no " + MACHINE + " to write to");
        try (PressureStall stall = PressureStall.open("system", Syscalls.linux(), List.of(MACHINE))) {
            assertTrue(stall.isNotified());
            stall.wake();
            assertFalse(stall.await(TimeUnit.MINUTES.toNanos(1))); // woken, without pressure
        }
    }

    @Test
    void without_a_file_that_accepts_the_trigger_it_only_waits() {
        // A file that does not exist; one that cannot be written; and one that accepts no trigger.
        try (PressureStall stall = PressureStall.open(
                "system", Syscalls.linux(), List.of("/no/such/memory.pressure", "/proc/version", "/dev/full"))) {
            assertFalse(stall.isNotified());
            assertFalse(stall.await(1));
            stall.wake();
            assertFalse(stall.await(TimeUnit.MINUTES.toNanos(1)));
        }
    }

    @Test
    void a_wake_before_the_wait_ends_it_and_one_after_the_close_does_nothing() throws InterruptedException {
        PressureStall stall = PressureStall.open("system", Syscalls.linux());
        Thread waiting = Thread.ofPlatform().start(() -> stall.await(TimeUnit.MINUTES.toNanos(10)));
        stall.wake();
        waiting.join(TimeUnit.SECONDS.toMillis(30));
        assertFalse(waiting.isAlive());
        stall.close();
        stall.close();
        stall.wake();
    }

    @Test
    void a_refused_trigger_leaves_no_descriptor() {
        CountedSyscalls kernel = new CountedSyscalls();
        PressureStall.open("system", kernel.calling(), List.of("/proc/version_signature_none", "/dev/full"))
                .close();
        assertEquals(2, kernel.count("open"));
        assertEquals(2, kernel.count("close")); // that of the file without a trigger, and that of the counter
    }
}
