// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.agent;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/** Test of the process that operators see. */
class CallSpaceTest {
    @Test
    void a_name_that_is_no_text_does_not_hide_the_process() throws Exception {
        int pid = (int) ProcessHandle.current().pid();
        Path name = Path.of("/proc/self/comm");
        byte[] before = Files.readAllBytes(name);
        Files.write(name, new byte[] {'a', (byte) 0xFF});
        try {
            assertEquals(pid, CallSpace.process(pid));
        } finally {
            Files.write(name, before);
        }
    }

    @Test
    void a_thread_that_has_ended_has_no_process() {
        assertEquals(0, CallSpace.process(Integer.MAX_VALUE));
    }
}
