// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.dmabuf.heap.DmaBuf;

/** The buffers that people allocated in the shell, by name, until they free them or the shell stops. */
final class NamedBuffers {
    private final Map<String, HeldBuffer> buffers = new TreeMap<>();
    private int counter;

    /** {@return a name that is not taken} */
    synchronized String freshName() {
        String name;
        do {
            name = "buf-" + ++counter;
        } while (buffers.containsKey(name));
        return name;
    }

    /** Throws {@link IllegalArgumentException} with a sentence when a name is taken. */
    synchronized void requireFree(String name) {
        if (buffers.containsKey(name)) {
            throw new IllegalArgumentException(
                    "there is a buffer '" + name + "' already; free it (dmaheap:free " + name
                            + ") or give another name with --name");
        }
    }

    /**
     * Keeps a buffer.
     *
     * @param name by which the shell knows it
     * @param buffer closed when it is freed
     * @param content bytes that mean something; the rest fills the last page
     * @return the buffer for a person
     * @throws IllegalArgumentException when the name is taken; the buffer is closed then
     */
    synchronized BufferInfo keep(String name, DmaBuf buffer, long content) {
        boolean kept = false;
        try {
            requireFree(name);
            BufferInfo info = BufferInfo.of(name, buffer);
            buffers.put(name, new HeldBuffer(buffer, content));
            kept = true;
            return info;
        } finally {
            if (!kept) {
                buffer.close();
            }
        }
    }

    synchronized List<BufferInfo> list() {
        return buffers.entrySet().stream()
                .map(entry -> BufferInfo.of(entry.getKey(), entry.getValue().buffer()))
                .toList();
    }

    /** Frees a buffer. */
    synchronized void free(String name) {
        get(name).buffer().close();
        buffers.remove(name);
    }

    /**
     * Gives a reference of its own to a command, so that another session can free the buffer meanwhile.
     *
     * @return closed by the caller
     */
    synchronized HeldBuffer borrow(String name) {
        HeldBuffer held = get(name);
        return new HeldBuffer(held.buffer().newReference(), held.content());
    }

    private HeldBuffer get(String name) {
        HeldBuffer held = buffers.get(name);
        if (held == null) {
            Set<String> names = buffers.keySet();
            throw new IllegalArgumentException("there is no buffer '" + name + "'; "
                    + (names.isEmpty() ? "the shell holds none" : "there are: " + String.join(", ", names)));
        }
        return held;
    }

    synchronized void closeAll() {
        buffers.values().forEach(HeldBuffer::close);
        buffers.clear();
    }
}
