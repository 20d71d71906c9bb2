// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.spi.HeapBuffer;

/** Buffer of a heap that records its calls in order. Tests override methods that must fail. */
public class FakeMemory implements HeapBuffer {
    private final MemorySegment memory;
    private final List<String> calls = Collections.synchronizedList(new ArrayList<>());

    public FakeMemory(long size) {
        memory = Arena.ofAuto().allocate(size);
    }

    /** {@return the calls in order, such as {@code begin READ}} */
    public List<String> calls() {
        synchronized (calls) {
            return List.copyOf(calls);
        }
    }

    public long count(String call) {
        return calls().stream().filter(call::equals).count();
    }

    /** {@return whether the memory was released once, by the last call} */
    public boolean released() {
        List<String> all = calls();
        return all.indexOf("release") == all.size() - 1 && !all.isEmpty();
    }

    public final void note(String call) {
        calls.add(call);
    }

    @Override
    public long size() {
        return memory.byteSize();
    }

    @Override
    public int descriptor() {
        note("descriptor");
        throw new UnsupportedOperationException("a fake has no descriptor");
    }

    @Override
    public MemorySegment map(Access access) {
        note("map " + access);
        return memory;
    }

    @Override
    public void unmap(MemorySegment mapping) {
        note("unmap");
    }

    @Override
    public void beginCpuAccess(Access access) {
        note("begin " + access);
    }

    @Override
    public void endCpuAccess(Access access) {
        note("end " + access);
    }

    @Override
    public void release() {
        note("release");
    }
}
