// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.tck;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.junit.jupiter.api.Test;

class FaultySyscallsTest {
    private static final int EINTR = -Errno.EINTR.number();
    private static final int ENOMEM = -Errno.ENOMEM.number();

    /** Kernel that returns 7 for every call. */
    private final List<String> reached = new ArrayList<>();

    private final FaultySyscalls kernel = new FaultySyscalls((Syscalls) Proxy.newProxyInstance(
            getClass().getClassLoader(), new Class<?>[] {Syscalls.class}, (proxy, method, arguments) -> {
                reached.add(method.getName());
                return method.getReturnType() == long.class ? (Object) 7L : (Object) 7;
            }));

    private int fallocate() {
        return kernel.fallocate(3, 0, 0, 4096);
    }

    @Test
    void without_faults_every_call_reaches_the_kernel_and_is_counted() throws ReflectiveOperationException {
        for (Method call : Syscalls.class.getMethods()) {
            if (!Modifier.isStatic(call.getModifiers())) {
                Object[] arguments = new Object[call.getParameterCount()];
                for (int i = 0; i < arguments.length; i++) {
                    Class<?> type = call.getParameterTypes()[i];
                    arguments[i] = type == long.class ? (Object) 1L : type == int.class ? (Object) 1 : "name";
                }
                assertEquals(7, ((Number) call.invoke(kernel, arguments)).intValue(), call.getName());
                assertEquals(1, kernel.count(call.getName()));
                assertEquals(call.getName(), reached.getLast());
            }
        }
        assertTrue(reached.size() >= 9);
    }

    @Test
    void a_call_fails_always_until_it_is_healed() {
        kernel.fail("fallocate", Errno.ENOMEM);
        assertEquals(ENOMEM, fallocate());
        assertEquals(ENOMEM, fallocate());
        kernel.heal();
        assertEquals(7, fallocate());
        assertEquals(3, kernel.count("fallocate"));
        assertEquals(List.of("fallocate"), reached);
    }

    @Test
    void a_call_fails_a_number_of_times() {
        fallocate();
        kernel.failNext("fallocate", 2, Errno.EINTR);
        assertEquals(EINTR, fallocate());
        assertEquals(EINTR, fallocate());
        assertEquals(7, fallocate());
    }

    @Test
    void the_nth_call_from_now_fails() {
        fallocate();
        kernel.failOn("fallocate", 2, Errno.ENOMEM);
        assertEquals(7, fallocate());
        assertEquals(ENOMEM, fallocate());
        assertEquals(7, fallocate());
    }

    @Test
    void the_answer_that_was_set_last_applies_first() {
        kernel.fail("fallocate", Errno.ENOMEM);
        kernel.failNext("fallocate", 1, Errno.EINTR);
        assertEquals(EINTR, fallocate());
        assertEquals(ENOMEM, fallocate());
    }

    @Test
    void an_answer_can_be_any_result() {
        kernel.answer("mmap", 1L << 40);
        assertEquals(1L << 40, kernel.mmap(0, 4096, 1, 1, 3, 0));
        assertEquals(List.of(), reached);
    }

    @Test
    void one_call_that_fails_leaves_the_others_alone() {
        kernel.fail("munmap", Errno.EINVAL);
        assertEquals(7, fallocate());
    }

    @Test
    void a_close_that_fails_still_closes() {
        kernel.fail("close", Errno.EINTR);
        assertEquals(EINTR, kernel.close(3));
        assertEquals(List.of("close"), reached);
    }

    @Test
    void a_call_that_does_not_exist_is_an_error_and_no_fault_that_never_happens() {
        assertThrows(IllegalArgumentException.class, () -> kernel.fail("fallocat", Errno.ENOMEM));
        assertThrows(IllegalArgumentException.class, () -> kernel.count("memfd_create"));
    }
}
