// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.FileNotFoundException;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class DescriptorTrialTest {
    private final AtomicInteger opened = new AtomicInteger();
    private final AtomicInteger closed = new AtomicInteger();

    @Test
    void a_trial_leaves_no_descriptor() throws Exception {
        DescriptorTrial.run(() -> {
            opened.incrementAndGet();
            return closed::incrementAndGet;
        });
        assertEquals(DescriptorTrial.DESCRIPTORS, opened.get());
        assertEquals(DescriptorTrial.DESCRIPTORS, closed.get());
    }

    @Test
    void a_descriptor_that_the_kernel_refuses_is_one_sentence_with_the_remedy_and_the_others_are_closed() {
        Failure failure = assertThrows(
                Failure.class,
                () -> DescriptorTrial.run(() -> {
                    if (opened.get() == 5) {
                        throw new FileNotFoundException("release (Too many open files)");
                    }
                    opened.incrementAndGet();
                    return closed::incrementAndGet;
                }));
        assertEquals(
                "opening 48 files failed: the kernel permits only 5 more; raise the limit of descriptors (LimitNOFILE="
                        + " in the unit, ulimit -n)",
                failure.getMessage());
        assertEquals(1, failure.status());
        assertEquals(5, closed.get());
    }

    @Test
    void the_file_of_the_trial_exists() throws Exception {
        DescriptorTrial.run();
    }
}
