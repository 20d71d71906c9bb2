// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.agent;

import org.dmabuf.heap.linux.seccomp.TrappedCall;

/** File that a client has in place of a node. */
enum NodeFile {
    /** The null device, 1:3. An ioctl that the agent does not answer fails there with ENOTTY. */
    DEVICE(0x2000) {
        @Override
        boolean isOfCall(TrappedCall call) {
            return super.isOfCall(call) && call.isDevice(1, 3);
        }
    },
    /** A regular file, for a launcher that may not make device nodes. */
    FILE(0x8000);

    private static final int S_IFMT = 0xF000;

    private final int type;

    NodeFile(int type) {
        this.type = type;
    }

    /** {@return whether the file whose status the call has read is of this type} */
    boolean isOfCall(TrappedCall call) {
        return (call.mode() & S_IFMT) == type;
    }
}
