// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.dmabuf.heap.DmaBuf;

/** The buffers that people allocated in the shell, by name, until they free them or the shell stops. */
final class NamedBuffers {
    private final Map<String, DmaBuf> buffers = new TreeMap<>();
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
     * @throws IllegalArgumentException when the name is taken; the buffer is closed then
     */
    synchronized BufferInfo keep(String name, DmaBuf buffer) {
        boolean kept = false;
        try {
            requireFree(name);
            buffers.put(name, buffer);
            kept = true;
            return BufferInfo.of(name, buffer);
        } finally {
            if (!kept) {
                buffer.close();
            }
        }
    }

    synchronized List<BufferInfo> list() {
        return buffers.entrySet().stream()
                .map(entry -> BufferInfo.of(entry.getKey(), entry.getValue()))
                .toList();
    }

    synchronized DmaBuf remove(String name) {
        DmaBuf buffer = buffers.remove(name);
        if (buffer == null) {
            Set<String> names = buffers.keySet();
            throw new IllegalArgumentException("there is no buffer '" + name + "'; "
                    + (names.isEmpty() ? "the shell holds none" : "there are: " + String.join(", ", names)));
        }
        return buffer;
    }

    synchronized void closeAll() {
        buffers.values().forEach(DmaBuf::close);
        buffers.clear();
    }
}
