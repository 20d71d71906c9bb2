// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.agent;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.dmabuf.heap.linux.seccomp.TrappedCall;

/** Native memory of one thread for a call and its structs, so that a call allocates none. */
final class CallSpace {
    final TrappedCall call = new TrappedCall();
    /** The struct of the ioctl. */
    final MemorySegment struct;
    /** A second struct, to which the first one points. */
    final MemorySegment element;

    private int lastTid;
    private int lastProcess;

    CallSpace() {
        Arena arena = Arena.ofAuto();
        struct = arena.allocate(Abi.MOST_BYTES, 8);
        element = arena.allocate(IonQuery.ELEMENT_BYTES, 8);
    }

    /** {@return the ioctl's number} */
    int command() {
        return (int) call.argument(1);
    }

    /** {@return the ioctl's third argument, the address of a struct} */
    long address() {
        return call.argument(2);
    }

    /** {@return the ioctl's descriptor} */
    int descriptor() {
        return (int) call.argument(0);
    }

    /** {@return process of the calling thread, 0 if it has ended. Operators see it, and nothing depends on it} */
    int process() {
        if (call.tid() != lastTid) {
            lastProcess = process(call.tid());
            lastTid = call.tid();
        }
        return lastProcess;
    }

    static int process(int tid) {
        try {
            // A thread's name can be any bytes.
            return Files.readAllLines(Path.of("/proc/" + tid + "/status"), StandardCharsets.ISO_8859_1).stream()
                    .filter(line -> line.startsWith("Tgid:"))
                    .mapToInt(line ->
                            Integer.parseInt(line.substring("Tgid:".length()).strip()))
                    .findFirst()
                    .orElse(0);
        } catch (IOException e) {
            return 0;
        }
    }
}
