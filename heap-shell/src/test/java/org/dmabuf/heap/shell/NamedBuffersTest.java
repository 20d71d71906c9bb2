// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.lang.reflect.Proxy;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.felix.service.command.CommandSession;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.testing.InMemoryBroker;
import org.dmabuf.heap.testing.InMemoryHeap;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class NamedBuffersTest {
    private final InMemoryBroker broker = InMemoryBroker.of(InMemoryHeap.of("system", 8L << 20));
    private final NamedBuffers buffers = new NamedBuffers(broker);
    private final Gogo served = new Gogo(broker, buffers);
    private final Gogo local = new Gogo(broker, buffers);

    @AfterEach
    void everythingIsGivenBack() {
        served.close();
        local.close();
        buffers.freeAll();
        broker.requireNothingOpen();
        broker.close();
    }

    @Test
    void the_end_of_a_session_frees_only_its_own_buffers() throws Exception {
        CopyOnWriteArrayList<Runnable> end = new CopyOnWriteArrayList<>();
        served.session().put(SessionEnd.VARIABLE, end);
        served.run("dmaheap:alloc -n one 4K; dmaheap:alloc -n two 4K");
        local.run("dmaheap:alloc -n three 4K");
        local.run("dmaheap:free two");
        local.run("dmaheap:alloc -n two 4K");
        assertEquals(1, end.size(), "one end for the session, not one for each buffer");
        end.forEach(Runnable::run);
        assertEquals(2, buffers.list().size());
        assertEquals("unknown buffer 'one': expected one of three, two", local.refusal("dmaheap:free one"));
    }

    @Test
    void a_session_that_is_over_keeps_nothing() throws Exception {
        CommandSession session = served.session();
        CopyOnWriteArrayList<Runnable> end = new CopyOnWriteArrayList<>();
        session.put(SessionEnd.VARIABLE, end);
        served.run("dmaheap:alloc -n one 4K");
        end.forEach(Runnable::run);
        assertThrows(
                InterruptedException.class,
                () -> buffers.keep(session, "late", broker.allocate(AllocationRequest.of(4096)), 4096));
        broker.requireNothingOpen();
    }

    @Test
    void a_session_that_ends_while_its_first_buffer_is_made_keeps_nothing() throws Exception {
        CommandSession session = served.session();
        CopyOnWriteArrayList<Runnable> end = new CopyOnWriteArrayList<>();
        session.put(SessionEnd.VARIABLE, end);
        buffers.expectFrom(session);
        end.forEach(Runnable::run);
        assertThrows(
                InterruptedException.class,
                () -> buffers.keep(session, "late", broker.allocate(AllocationRequest.of(4096)), 4096));
        broker.requireNothingOpen();
    }

    @Test
    void a_heap_that_hangs_at_a_release_leaves_the_other_buffers_in_use() throws Exception {
        CountDownLatch hangs = new CountDownLatch(1);
        DmaBuf made = broker.allocate(AllocationRequest.of(4096));
        local.run("dmaheap:alloc -n other 4K");
        buffers.keep(local.session(), "one", before(made, "close", hangs::await), 4096);
        CompletableFuture<Object> freed = Gogo.meanwhile(() -> {
            buffers.free(List.of("one"));
            return null;
        });
        try {
            CompletableFuture<List<String>> names = Gogo.meanwhile(() -> {
                while (buffers.names().contains("one")) {
                    Thread.onSpinWait();
                }
                return buffers.names();
            });
            assertEquals(List.of("other"), names.get(10, TimeUnit.SECONDS));
        } finally {
            hangs.countDown();
        }
        freed.get(10, TimeUnit.SECONDS);
    }

    @Test
    void a_heap_that_hangs_at_a_question_leaves_the_other_buffers_in_use() throws Exception {
        CountDownLatch asked = new CountDownLatch(2); // when it is kept, and when it is listed
        CountDownLatch hangs = new CountDownLatch(1);
        DmaBuf made = broker.allocate(AllocationRequest.of(4096));
        DmaBuf slow = before(made, "inode", () -> {
            asked.countDown();
            if (asked.getCount() == 0) {
                hangs.await();
            }
        });
        local.run("dmaheap:alloc -n other 4K");
        buffers.keep(local.session(), "one", slow, 4096);
        CompletableFuture<List<BufferInfo>> listed = Gogo.meanwhile(buffers::list);
        try {
            asked.await();
            assertEquals(List.of("one", "other"), Gogo.meanwhile(buffers::names).get(10, TimeUnit.SECONDS));
        } finally {
            hangs.countDown();
        }
        assertEquals(2, listed.get(10, TimeUnit.SECONDS).size());
    }

    @Test
    void a_buffer_whose_release_fails_keeps_no_other_one() throws Exception {
        buffers.expectFrom(local.session());
        for (String name : List.of("a", "b", "c")) {
            DmaBuf made = broker.allocate(AllocationRequest.of(4096));
            DmaBuf failing = before(made, "close", () -> {
                made.close();
                throw new LinkageError("as the test sets it");
            });
            buffers.keep(local.session(), name, failing, 4096);
        }
        assertThrows(LinkageError.class, () -> buffers.free(List.of("*")));
        broker.requireNothingOpen();
    }

    private interface Action {
        void run() throws InterruptedException;
    }

    /** {@return a buffer that runs an action before a method} */
    private static DmaBuf before(DmaBuf buffer, String name, Action action) {
        return (DmaBuf) Proxy.newProxyInstance(
                DmaBuf.class.getClassLoader(), new Class<?>[] {DmaBuf.class}, (_, method, arguments) -> {
                    if (method.getName().equals(name)) {
                        action.run();
                    }
                    Object result = method.invoke(buffer, arguments);
                    return result instanceof DmaBuf reference ? before(reference, name, action) : result;
                });
    }

    @Test
    void a_buffer_whose_name_is_taken_is_closed() throws Exception {
        local.run("dmaheap:alloc -n one 4K");
        assertThrows(
                IllegalArgumentException.class,
                () -> buffers.keep(local.session(), "one", broker.allocate(AllocationRequest.of(4096)), 4096));
        local.run("dmaheap:free one");
        broker.requireNothingOpen();
    }
}
