// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.spi.HeapBuffer;

/**
 * A heap's buffer that counts calls which must not occur: a second release, a use after the release, an end without a
 * begin.
 */
public final class Memory implements HeapBuffer {
    public static final long SIZE = 4096;
    private static final MemorySegment SEGMENT = Arena.global().allocate(SIZE);
    private static final VarHandle RELEASED;
    private static final VarHandle OPEN;

    static {
        try {
            RELEASED = MethodHandles.lookup().findVarHandle(Memory.class, "released", int.class);
            OPEN = MethodHandles.lookup().findVarHandle(Memory.class, "open", int.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    private int released;
    /** Mappings and CPU accesses that have begun and not ended. */
    private int open;

    private int misused;

    /** {@return the number of releases} */
    public int released() {
        return released;
    }

    /**
     * {@return the number of uses after the release, plus the mappings and CPU accesses that were open at the release}
     */
    public int misused() {
        return misused + open;
    }

    @Override
    public long size() {
        return SIZE;
    }

    @Override
    public int descriptor() {
        throw new UnsupportedOperationException("there is no file behind it");
    }

    @Override
    public MemorySegment map(Access access) {
        begin();
        return SEGMENT;
    }

    @Override
    public void unmap(MemorySegment mapping) {
        end();
    }

    @Override
    public void beginCpuAccess(Access access) {
        begin();
    }

    @Override
    public void endCpuAccess(Access access) {
        end();
    }

    @Override
    public void release() {
        RELEASED.getAndAdd(this, 1);
        if (open != 0) {
            misused++;
        }
    }

    /** Accesses the memory as a client does. The read is plain, so that only the hold orders it. */
    public void use() {
        if (released != 0) {
            misused++;
        }
    }

    private void begin() {
        use();
        OPEN.getAndAdd(this, 1);
    }

    private void end() {
        use();
        OPEN.getAndAdd(this, -1);
    }
}
