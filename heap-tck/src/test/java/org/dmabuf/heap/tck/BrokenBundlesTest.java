// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.tck;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.tck.HeapUnderTest.Company;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Tests that each case of a bundle's life can fail: for its requirement, and with a message that names the fault. */
class BrokenBundlesTest {
    private static final List<AutoCloseable> LEFT = new CopyOnWriteArrayList<>();
    private static final Duration USUAL = Duration.ofSeconds(30);

    @AfterAll
    static void close() throws Exception {
        for (AutoCloseable left : LEFT) {
            left.close();
        }
        LEFT.clear();
    }

    static Stream<BrokenBundles.Broken> bundles() {
        return BrokenBundles.all(LEFT);
    }

    private static List<ContractCase> cases(FakeBundle bundle, Optional<String> notWanted, Duration patience) {
        HeapUnderTest heap =
                new HeapUnderTest(bundle, bundle.properties(), Duration.ofMillis(10), Heaps.LIMIT, Company.CLIENTS);
        return DynamicsCases.of(heap, bundle, notWanted, patience);
    }

    private static Map<String, String> failures(FakeBundle bundle, Duration patience) {
        Map<String, String> failures = new TreeMap<>();
        for (ContractCase one : cases(bundle, Optional.empty(), patience)) {
            one.failure().ifPresent(how -> failures.put(one.name(), how));
            assertTrue(bundle.isRunning(), one.name());
        }
        return failures;
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("bundles")
    void a_broken_bundle_is_noticed_by_the_case_about_its_fault(BrokenBundles.Broken broken) {
        Duration patience =
                broken.fault().message().endsWith("did not return within 5 s") ? Duration.ofSeconds(5) : USUAL;
        Map<String, String> failures = failures(broken.bundle().get(), patience);
        broken.fault().assertNoticed(failures, Set.of());
    }

    @Test
    void each_case_has_a_broken_bundle() {
        Set<String> noticing = BrokenBundles.all(LEFT)
                .map(broken -> broken.fault().noticedBy())
                .collect(Collectors.toCollection(TreeSet::new));
        Set<String> cases = cases(new FakeBundle(), Optional.empty(), USUAL).stream()
                .map(ContractCase::name)
                .collect(Collectors.toCollection(TreeSet::new));
        assertEquals(cases, noticing);
    }

    @Test
    void the_bundle_that_the_others_break_is_a_good_one() {
        assertEquals(Map.of(), failures(new FakeBundle(), USUAL));
    }

    @Test
    void cases_that_were_not_requested_are_skipped_with_the_reason_and_touch_nothing() {
        FakeBundle bundle = new FakeBundle();
        for (ContractCase one : cases(bundle, Optional.of("not requested"), USUAL)) {
            assertEquals(Optional.of("not requested"), one.skipReason());
        }
        assertEquals(1, bundle.starts());
    }

    @Test
    void a_framework_without_a_broker_has_no_clients_to_check() {
        FakeBundle alone = new FakeBundle() {
            @Override
            public Optional<HeapBroker> broker() {
                return Optional.empty();
            }
        };
        assertEquals(
                List.of("a_client_gets_a_buffer_or_a_refusal_while_the_heap_drains (skipped: no broker is registered)"),
                cases(alone, Optional.empty(), USUAL).stream()
                        .filter(one -> one.skipReason().isPresent())
                        .map(ContractCase::toString)
                        .toList());
    }

    @Test
    void a_heap_that_has_gone_by_itself_fails_each_case_without_a_run() {
        FakeBundle gone = new FakeBundle() {
            @Override
            public boolean serves() {
                return false;
            }
        };
        Map<String, String> failures = failures(gone, USUAL);
        assertEquals(cases(gone, Optional.empty(), USUAL).size(), failures.size());
        assertEquals(Set.of("not run: the heap's service is not registered"), Set.copyOf(failures.values()));
        assertEquals(1, gone.starts());
    }

    @Test
    void memory_that_each_start_opens_anew_is_not_a_leak() {
        List<Integer> open = new ArrayList<>(List.of(Syscalls.linux().memfdCreate("region", 1)));
        FakeBundle bundle = new FakeBundle() {
            @Override
            public synchronized void start() throws Exception {
                if (!isRunning()) {
                    int next = Syscalls.linux().memfdCreate("region", 1);
                    Syscalls.linux().close(open.set(0, next));
                }
                super.start();
            }
        };
        assertEquals(Map.of(), failures(bundle, USUAL));
        open.forEach(Syscalls.linux()::close);
    }
}
