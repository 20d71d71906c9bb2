// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.junit.jupiter.api.Test;

class DeviceTest {
    private final CountedSyscalls syscalls = new CountedSyscalls();
    private final Device device = Device.open(syscalls.calling(), "camera", "/dev/null");

    @Test
    void a_number_is_given_back_when_the_last_call_on_it_has_returned() {
        device.enter();
        device.enter();
        device.close();
        device.leave();
        assertEquals(0, syscalls.count("close"));
        device.leave();
        assertEquals(1, syscalls.count("close"));
    }

    @Test
    void a_device_without_calls_is_closed_at_once_and_once() {
        device.close();
        assertEquals(1, syscalls.count("close"));
        device.close();
        assertEquals(1, syscalls.count("close"));
    }

    @Test
    void no_call_begins_on_a_device_that_is_closed_also_while_others_are_under_way() {
        device.enter();
        device.close();
        assertEquals(
                Errno.ENODEV, assertThrows(HeapException.class, device::enter).errno());
        device.leave();
        HeapException refusal = assertThrows(HeapException.class, device::enter);
        assertEquals(
                "heap 'camera' has gone and /dev/null is closed; use a heap that is announced", refusal.getMessage());
        assertEquals(1, syscalls.count("close"));
    }
}
