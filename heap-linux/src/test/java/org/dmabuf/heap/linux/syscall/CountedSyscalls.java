// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.syscall;

import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Supplier;

/**
 * System calls of the running kernel that are recorded, and partly answered here. FaultySyscalls of heap-tck is more
 * complete, but depends on this bundle and so cannot be used here.
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

    /** @param result an Integer or a Long, like the result of the call */
    public CountedSyscalls answer(String call, Object result) {
        return answerEach(call, () -> result);
    }

    /** @param result provides an Integer or a Long, like the result of the call, for each call */
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
