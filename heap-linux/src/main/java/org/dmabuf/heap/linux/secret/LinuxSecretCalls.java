// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.secret;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import org.dmabuf.heap.linux.libc.Libc;

/** {@link SecretCalls} by the C library. */
final class LinuxSecretCalls implements SecretCalls {
    static final LinuxSecretCalls INSTANCE = new LinuxSecretCalls();

    private static final long SYS_MEMFD_SECRET = 447; // no C library has a function for it

    private static final MethodHandle SYSCALL = Libc.linkSystemCall(FunctionDescriptor.of(JAVA_LONG, JAVA_INT));

    private LinuxSecretCalls() {}

    @Override
    public int memfdSecret(int flags) {
        MemorySegment block = Libc.block();
        try {
            return Libc.result(block, (int) (long) SYSCALL.invokeExact(block, SYS_MEMFD_SECRET, flags));
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }
}
