// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.WeakHashMap;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.apache.felix.service.command.CommandSession;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.HeapBroker;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Deactivate;
import org.osgi.service.component.annotations.Reference;

/**
 * Registry of the buffers that users of the shell allocated, by name. All sessions share the names. A buffer belongs to
 * the session that made it: if that session ends before the shell does, the buffer is freed with it.
 *
 * <p>The component is immediate: Gogo gets and ungets a command for each call, so a delayed component would lose its
 * buffers.
 */
@Component(immediate = true, service = NamedBuffers.class)
public final class NamedBuffers {
    private record Kept(HeldBuffer held, CommandSession session) {}

    private final Map<String, Kept> buffers = new TreeMap<>();
    /** The sessions that made buffers, each with a flag that is set when the session has ended. */
    private final Map<CommandSession, Boolean> sessions = new WeakHashMap<>();

    private int counter;

    /**
     * Creates an empty registry.
     *
     * @param broker broker that the buffers come from; the registry ends when it goes
     */
    @Activate
    public NamedBuffers(@Reference HeapBroker broker) {}

    /** {@return a name that is not in use} */
    synchronized String freshName() {
        String name;
        do {
            name = "buf-" + ++counter;
        } while (buffers.containsKey(name));
        return name;
    }

    /**
     * Registers the session's end, which frees the session's buffers. Called before a buffer is made, so that a session
     * that ends meanwhile keeps no buffer.
     */
    synchronized void expectFrom(CommandSession session) {
        if (sessions.putIfAbsent(session, false) == null) {
            SessionEnd.then(session, () -> freeAllOf(session));
        }
    }

    /** Throws {@link IllegalArgumentException} with a message for the user if a name is in use. */
    synchronized void requireFree(String name) {
        if (buffers.containsKey(name)) {
            throw new IllegalArgumentException("buffer '" + name + "' exists; free it (dmaheap:free " + name
                    + ") or give another name with --name");
        }
    }

    /**
     * Keeps a buffer, unless the thread was interrupted before.
     *
     * @param session session that owns the buffer from now on; its end was registered before
     * @param name name of the buffer in the shell
     * @param buffer reference that is closed when the buffer is freed
     * @param content length of the content in bytes; the rest fills the last page
     * @return the description of the buffer
     * @throws IllegalArgumentException if the name is in use; the buffer is then closed
     * @throws InterruptedException if the thread was interrupted or the session has ended; the buffer is then closed
     */
    BufferInfo keep(CommandSession session, String name, DmaBuf buffer, long content) throws InterruptedException {
        boolean kept = false;
        try {
            BufferInfo info = BufferInfo.of(name, buffer, content); // not under the lock: the heap may hang in it
            put(session, name, buffer, content);
            kept = true;
            return info;
        } finally {
            if (!kept) {
                buffer.close();
            }
        }
    }

    private synchronized void put(CommandSession session, String name, DmaBuf buffer, long content)
            throws InterruptedException {
        requireFree(name);
        if (Thread.interrupted() || sessions.get(session)) {
            throw new InterruptedException();
        }
        buffers.put(name, new Kept(new HeldBuffer(buffer, content), session));
    }

    private void freeAllOf(CommandSession session) {
        close(takeAllOf(session));
    }

    private synchronized List<HeldBuffer> takeAllOf(CommandSession session) {
        sessions.put(session, true);
        List<String> theirs = buffers.entrySet().stream()
                .filter(kept -> kept.getValue().session() == session)
                .map(Map.Entry::getKey)
                .toList();
        return take(theirs);
    }

    synchronized List<String> names() {
        return List.copyOf(buffers.keySet());
    }

    /** {@return the description of each buffer; the heaps that it calls may hang, so it does not hold the lock} */
    List<BufferInfo> list() {
        List<BufferInfo> infos = new ArrayList<>();
        for (String name : names()) {
            try (HeldBuffer held = borrowedOrNull(name)) {
                if (held != null) { // null if it was freed meanwhile
                    infos.add(held.info(name));
                }
            }
        }
        return infos;
    }

    private synchronized HeldBuffer borrowedOrNull(String name) {
        Kept kept = buffers.get(name);
        return kept == null ? null : kept.held().borrowed();
    }

    /**
     * Frees buffers.
     *
     * @param sought names, or patterns of names with {@code *} and {@code ?}
     * @throws IllegalArgumentException if one of them matches no buffer; no buffer is then freed
     */
    void free(List<String> sought) {
        close(takeMatching(sought));
    }

    private synchronized List<HeldBuffer> takeMatching(List<String> sought) {
        Set<String> found = new LinkedHashSet<>();
        for (String one : sought) {
            found.addAll(matching(one));
        }
        return take(found);
    }

    private Set<String> matching(String sought) {
        if (buffers.containsKey(sought)) {
            return Set.of(sought);
        }
        boolean pattern = sought.contains("*") || sought.contains("?");
        Pattern names = Pattern.compile(
                sought.codePoints()
                        .mapToObj(character -> switch (character) {
                            case '*' -> ".*";
                            case '?' -> ".";
                            default -> Pattern.quote(Character.toString(character));
                        })
                        .collect(Collectors.joining()),
                Pattern.DOTALL);
        Set<String> found = buffers.keySet().stream()
                .filter(names.asMatchPredicate())
                .collect(Collectors.toCollection(LinkedHashSet::new));
        if (found.isEmpty()) {
            throw unknown(pattern ? "no buffer matches '" + sought + "'" : "unknown buffer '" + sought + "'");
        }
        return found;
    }

    private List<HeldBuffer> take(Collection<String> names) {
        List<HeldBuffer> taken =
                names.stream().map(name -> buffers.get(name).held()).toList();
        names.forEach(buffers::remove); // when all are in the list: nothing fails between the two
        return taken;
    }

    /** Not called under the lock: a heap's release may take long or hang, and the other buffers must stay usable. */
    private static void close(List<HeldBuffer> taken) {
        Throwable failure = null;
        for (HeldBuffer one : taken) {
            try {
                one.close();
            } catch (RuntimeException | Error e) {
                failure = e; // thrown after the other buffers are closed
            }
        }
        switch (failure) {
            case null -> {}
            case Error error -> throw error;
            default -> throw (RuntimeException) failure;
        }
    }

    /**
     * Returns a new reference for a command, so that another session can free the buffer meanwhile.
     *
     * @return a reference that the caller closes
     */
    synchronized HeldBuffer borrow(String name) {
        HeldBuffer held = borrowedOrNull(name);
        if (held == null) {
            throw unknown("unknown buffer '" + name + "'");
        }
        return held;
    }

    private IllegalArgumentException unknown(String sentence) {
        return new IllegalArgumentException(sentence + ": "
                + (buffers.isEmpty()
                        ? "the shell holds no buffers"
                        : "expected one of " + String.join(", ", buffers.keySet())));
    }

    /** Frees every buffer of every session. */
    @Deactivate
    void freeAll() {
        close(takeAll());
    }

    private synchronized List<HeldBuffer> takeAll() {
        return take(List.copyOf(buffers.keySet()));
    }
}
