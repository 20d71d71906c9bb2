// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.socket;

import java.lang.reflect.Proxy;
import java.util.concurrent.atomic.AtomicInteger;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.Expect;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.II_Result;
import org.openjdk.jcstress.infra.results.I_Result;

/** Tests that a descriptor is closed once, because its number may belong to another file a moment later. */
public class FdEnds {
    private static final int NUMBER = 7;

    /** State of all tests: a descriptor without a file, whose closes are counted. */
    @State
    public static class Open {
        final AtomicInteger closed = new AtomicInteger();
        final Syscalls syscalls = calls(Syscalls.class, closed);
        final OwnedFd fd = OwnedFd.of(NUMBER, syscalls::close);
    }

    @JCStressTest
    @Outcome(id = "0, 1", expect = Expect.ACCEPTABLE, desc = "closed")
    @Outcome(id = NUMBER + ", 0", expect = Expect.ACCEPTABLE, desc = "given away, and not closed")
    @State
    public static class CloseAgainstDetach extends Open {
        @Actor
        public void close() {
            fd.close();
        }

        @Actor
        public void detach(II_Result result) {
            try {
                result.r1 = fd.detach();
            } catch (IllegalStateException e) {
                result.r1 = 0;
            }
        }

        @Arbiter
        public void count(II_Result result) {
            result.r2 = closed.get();
        }
    }

    @JCStressTest
    @Outcome(id = "1", expect = Expect.ACCEPTABLE, desc = "closed once")
    @State
    public static class CloseTwice extends Open {
        @Actor
        public void one() {
            fd.close();
        }

        @Actor
        public void two() {
            fd.close();
        }

        @Arbiter
        public void count(I_Result result) {
            result.r1 = closed.get();
        }
    }

    /** A call on a socket races with its close. The number is not closed while the call uses it. */
    @JCStressTest
    @Outcome(
            id = {"0, 1", "1, 1"},
            expect = Expect.ACCEPTABLE,
            desc = "the call was over, or refused")
    @State
    public static class CloseAgainstCall extends Open {
        private final GuardedSocket socket = new GuardedSocket(calls(SocketCalls.class, new AtomicInteger()), fd);

        @Actor
        public void call(II_Result result) {
            try {
                result.r1 = (int) socket.call(number -> {
                    int before = closed.get();
                    Thread.onSpinWait();
                    return before == 0 && closed.get() == 0 ? 1 : -1;
                });
            } catch (IllegalStateException e) {
                result.r1 = 0;
            }
        }

        @Actor
        public void close() {
            socket.close();
        }

        @Arbiter
        public void count(II_Result result) {
            result.r2 = closed.get();
        }
    }

    private static <T> T calls(Class<T> type, AtomicInteger closed) {
        return type.cast(Proxy.newProxyInstance(type.getClassLoader(), new Class<?>[] {type}, (self, method, args) -> {
            if (method.getName().equals("close")) {
                closed.incrementAndGet();
            }
            return 0;
        }));
    }
}
