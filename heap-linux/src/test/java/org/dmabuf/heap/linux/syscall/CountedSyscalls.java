// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.syscall;

import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Supplier;

/**
 * The running kernel's calls, listed as they are made, some answered here instead. The real thing for this is
 * FaultySyscalls of heap-tck, which stands on this bundle and so cannot be used here.
 */
public final class CountedSyscalls {
    private final List<String> calls = new ArrayList<>();
    private final Map<String, Supplier<Object>> answers = new ConcurrentHashMap<>();
    private final Syscalls calling = (Syscalls) Proxy.newProxyInstance(
            CountedSyscalls.class.getClassLoader(), new Class<?>[] {Syscalls.class}, (proxy, method, arguments) -> {
                synchronized (calls) {
                    calls.add(method.getName());
                }
                Supplier<Object> answer = answers.get(method.getName());
                return answer != null ? answer.get() : method.invoke(Syscalls.linux(), arguments);
            });

    public Syscalls calling() {
        return calling;
    }

    /** @param result an Integer or a Long, as the call gives it */
    public CountedSyscalls answer(String call, Object result) {
        return answerEach(call, () -> result);
    }

    /** @param result gives an Integer or a Long, as the call does, for each call */
    public CountedSyscalls answerEach(String call, Supplier<Object> result) {
        answers.put(call, result);
        return this;
    }

    public long count(String call) {
        synchronized (calls) {
            return calls.stream().filter(call::equals).count();
        }
    }
}
