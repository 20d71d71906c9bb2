// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.broker.account.Rules;
import org.dmabuf.heap.linux.daemon.RecordedLog;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Tests of the component's configuration, valid and invalid. */
class BrokerComponentConfigurationTest extends BrokerInFramework {
    private long drainMillis() throws ReflectiveOperationException {
        var nanos = BrokerComponent.class.getDeclaredField("drainNanos");
        nanos.setAccessible(true);
        return TimeUnit.NANOSECONDS.toMillis((long) nanos.get(component));
    }

    @Test
    void the_wait_for_a_leaving_heap_is_the_configured_one() throws Exception {
        for (int millis : new int[] {0, 1, 4000}) {
            component.modified(drain(millis), Map.of());
            assertEquals(millis, drainMillis());
        }
        deactivate();
        assertEquals(0, drainMillis(), "the unbinds that follow have nothing to wait for");
    }

    /** Declarative Services waits only a limited time until a heap is unbound. */
    @ParameterizedTest
    @ValueSource(strings = {"99999", "4001", "-5", "", " ", "2 s", "1.5", "2147483648", "9223372036854775808", "soon"})
    void an_invalid_wait_is_refused_with_the_range_and_the_previous_one_stays_in_force(String text) throws Exception {
        component.modified(drain(1234), Map.of());
        RecordedLog.clear();
        component.modified(
                config(Map.of("allow", new String[] {"system=nobody"})),
                Map.of(
                        "drain.ms",
                        text,
                        "felix.fileinstall.filename",
                        "file:/opt/gateway/etc/org.dmabuf.heap.broker.cfg"));
        assertEquals(
                List.of("ERROR invalid drain.ms = " + (text.isBlank() ? "'" + text + "'" : text)
                        + " in etc/org.dmabuf.heap.broker.cfg: expected a whole number from 0 to 4000; the previous"
                        + " value stays in force"),
                RecordedLog.lines());
        assertEquals(1234, drainMillis());
        heap("system", new FakeHeap());
        assertEquals(
                Errno.EACCES,
                assertThrows(HeapException.class, () -> brokerOf(camera).allocate(REQUEST))
                        .errno(),
                "the other settings are in force");
    }

    @Test
    void an_invalid_flag_keeps_its_previous_value() {
        RecordedLog.clear();
        component.modified(
                config(Map.of()), Map.of("allocation.sites", "yes", "adopt.unsealed", "1", "service.pid", Rules.PID));
        assertEquals(
                List.of(
                        "ERROR invalid allocation.sites = yes in org.dmabuf.heap.broker: expected true or false; the"
                                + " previous value stays in force",
                        "ERROR invalid adopt.unsealed = 1 in org.dmabuf.heap.broker: expected true or false; the"
                                + " previous value stays in force"),
                RecordedLog.lines());
    }

    @Test
    void a_drain_that_is_not_a_number_is_reported_and_changes_nothing() throws Exception {
        BrokerComponent.Config wrong = FakeBundle.proxy(BrokerComponent.Config.class, (self, method, arguments) -> {
            if (method.getName().equals("drain_ms")) {
                throw new NumberFormatException("For input string: \"soon\""); // as Declarative Services does
            }
            return method.getName().equals("allow") ? new String[] {"system=nobody"} : method.getDefaultValue();
        });
        component.modified(drain(1234), Map.of());
        RecordedLog.clear();
        component.modified(wrong, Map.of());
        assertEquals(
                List.of("ERROR invalid drain.ms = null in org.dmabuf.heap.broker: expected a whole number from 0 to"
                        + " 4000; the previous value stays in force"),
                RecordedLog.lines());
        heap("system", new FakeHeap());
        assertEquals(
                Errno.EACCES,
                assertThrows(HeapException.class, () -> brokerOf(camera).allocate(REQUEST))
                        .errno());
        new BrokerComponent(framework.getBundleContext(), wrong, Map.of());
    }

    @Test
    void quotas_and_permissions_change_at_run_time_unless_one_entry_is_invalid() {
        heap("system", new FakeHeap());
        DmaBuf held = brokerOf(camera).allocate(REQUEST);
        component.modified(
                config(Map.of(
                        "quota_client", new String[] {"org.example.camera=6K"}, "allow", new String[] {"system=*.camera"
                        })),
                Map.of());
        for (int again = 0; again < 2; again++) {
            HeapException over =
                    assertThrows(HeapException.class, () -> brokerOf(camera).allocate(REQUEST));
            assertEquals(Errno.ENOMEM, over.errno());
            HeapException refused =
                    assertThrows(HeapException.class, () -> brokerOf(display).allocate(REQUEST));
            assertEquals(Errno.EACCES, refused.errno());
            assertTrue(
                    refused.getMessage().contains("bundle org.example.display at test:org.example.display"),
                    refused.getMessage());
            RecordedLog.clear();
            component.modified(
                    config(Map.of(
                            "quota_client", new String[] {"*=1G org.example.camera=lots"}, "allow", new String[0])),
                    Map.of());
            assertEquals(
                    List.of("ERROR invalid quota.client = org.example.camera=lots in org.dmabuf.heap.broker: expected a"
                            + " size in bytes, or a number with the suffix K, M, G or T; the new quotas and"
                            + " permissions are not applied, and the previous ones stay in force"),
                    RecordedLog.lines());
        }
        RecordedLog.clear();
        component.modified(drain(2000), Map.of("quotas.heap", "system=64M", "service.pid", Rules.PID));
        assertEquals(
                List.of("WARN unknown setting quotas.heap in org.dmabuf.heap.broker: expected one of"
                        + " adopt.unsealed, allocation.sites, allow, drain.ms, quota.client,"
                        + " quota.client.on.heap, quota.heap, views.allow"),
                RecordedLog.lines());
        assertEquals(1, live(), "existing buffers stayed");
        brokerOf(display).allocate(REQUEST).close();
        brokerOf(camera).allocate(REQUEST).close();
        held.close();
    }

    @Test
    void an_error_in_the_first_configuration_opens_no_heap_and_the_rest_is_in_force() {
        deactivate();
        RecordedLog.clear();
        component = new BrokerComponent(
                framework.getBundleContext(),
                config(Map.of(
                        "quota_heap", new String[] {"small=lots system=6K"},
                        "allow", new String[] {"camera= display=*.display secret"})),
                Map.of());
        assertEquals(3, RecordedLog.lines().size(), () -> RecordedLog.lines().toString());
        assertEquals(
                "ERROR invalid allow = secret in org.dmabuf.heap.broker: expected HEAP=CLIENT, for instance"
                        + " secure=org.example.*; the other quotas and permissions apply; the heap of an"
                        + " invalid allow entry is closed to clients without a valid entry",
                RecordedLog.lines().getLast());
        activate();
        for (String name : List.of("system", "camera", "display", "secret")) {
            heap(name, new FakeHeap());
        }
        for (String closed : List.of("camera", "display", "secret")) {
            assertEquals(
                    Errno.EACCES,
                    assertThrows(HeapException.class, () -> brokerOf(camera).allocate(REQUEST.withHeaps(closed)))
                            .errno());
        }
        brokerOf(display).allocate(REQUEST.withHeaps("display")).close();
        DmaBuf held = brokerOf(camera).allocate(REQUEST.withHeaps("system"));
        assertEquals(
                Errno.ENOMEM,
                assertThrows(HeapException.class, () -> brokerOf(camera).allocate(REQUEST.withHeaps("system")))
                        .errno());
        held.close();
    }

    @Test
    void memory_that_can_lose_pages_is_adopted_only_while_the_setting_permits_it() {
        Syscalls syscalls = Syscalls.linux();
        for (boolean accept : new boolean[] {false, true, false}) {
            component.modified(config(Map.of("adopt_unsealed", accept)), Map.of());
            int fd = syscalls.memfdCreate("peer", 0x2); // MFD_ALLOW_SEALING
            try (OwnedFd made = OwnedFd.of(fd, syscalls::close)) {
                assertEquals(0, syscalls.fallocate(fd, 0, 0, 4096));
                assertEquals(0, syscalls.fcntl(fd, 1033, 0x2)); // F_ADD_SEALS, F_SEAL_SHRINK
                if (accept) {
                    brokerOf(camera).adopt(made, "theirs").close();
                } else {
                    HeapException refusal = assertThrows(
                            HeapException.class, () -> brokerOf(camera).adopt(made, "theirs"));
                    assertEquals(Errno.EPERM, refusal.errno());
                }
            }
        }
    }
}
