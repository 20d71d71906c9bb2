// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.felix.service.command.CommandSession;
import org.apache.felix.service.command.Descriptor;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapInfo;
import org.dmabuf.heap.spi.HeapVerifier;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.component.annotations.ReferenceCardinality;
import org.osgi.service.component.annotations.ReferencePolicy;
import org.osgi.service.component.annotations.ReferencePolicyOption;

/** Shell command {@code dmaheap:verify}, the front end of the test kit's {@link HeapVerifier}. */
@Component(
        service = {VerifyCommand.class, CommandSet.class},
        property = {"osgi.command.scope=dmaheap", "osgi.command.function=verify"})
public final class VerifyCommand implements CommandSet {
    private static final String HEAP = "HEAP";

    private static final Option DYNAMICS = Option.flag("dynamics", "also stop, start and update the heap's bundle");
    private static final Option QUIET = Option.flag('q', "quiet", "list only failures, and the counts");

    private static final Syntax VERIFY = Syntax.of("verify", "Verifies that a heap keeps the contract of heaps")
            .taking(HEAP, 1, 1)
            .with(DYNAMICS, QUIET, Option.JSON)
            .noting("The cases use at most a quarter of the heap's free memory, and empty its pools.\n"
                    + "They leave nothing. Clients may use the heap meanwhile. With --dynamics they\n"
                    + "cannot allocate from any heap of the bundle for some seconds.\n"
                    + "If a case fails, the exit status is 1.");

    private final HeapBroker broker;

    /** Null without the test kit. */
    @Reference(
            cardinality = ReferenceCardinality.OPTIONAL,
            policy = ReferencePolicy.DYNAMIC,
            policyOption = ReferencePolicyOption.GREEDY)
    volatile HeapVerifier verifier;

    /** One thread at a time may run checks. */
    private final AtomicBoolean checking = new AtomicBoolean();

    /**
     * Creates the command.
     *
     * @param broker source of the heaps' names and bundles
     */
    @Activate
    public VerifyCommand(@Reference HeapBroker broker) {
        this.broker = broker;
    }

    @Override
    public List<Syntax> syntaxes() {
        return List.of(VERIFY);
    }

    @Override
    public Optional<List<String>> values(String place) {
        return place.equals(HEAP) ? Optional.of(names()) : Optional.empty();
    }

    private List<String> names() {
        Set<String> names = new LinkedHashSet<>();
        broker.heaps().forEach(heap -> names.add(heap.name()));
        return List.copyOf(names);
    }

    /**
     * Verifies a heap.
     *
     * @param session session in which the command was typed
     * @param words words after the command
     */
    @Descriptor("verify that a heap keeps the contract (options: dmaheap:verify --help)")
    public void verify(
            CommandSession session, @Descriptor("options and arguments; --help lists them") Object... words) {
        Command.run(session, VERIFY, words, (line, out) -> {
            HeapInfo heap = named(line.argument(0));
            HeapVerifier kit = verifier;
            if (kit == null) {
                throw refusal(
                        Errno.ENOTSUP,
                        heap,
                        "the test kit is not installed; copy optional/heap-tck.jar to the folder deploy");
            }
            if (checking.getAndSet(true)) {
                throw refusal(Errno.EBUSY, heap, "another session verifies a heap; repeat the command later");
            }
            Verification verification;
            try (CtrlC _ = CtrlC.interrupting(session)) {
                verification = run(kit, heap, line, out);
            } finally {
                checking.set(false);
            }
            if (line.has(Option.JSON)) {
                out.json(verification.toMap());
            } else {
                out.print(verification.counts());
            }
            verification.requireNoFailure();
        });
    }

    private static HeapException refusal(Errno errno, HeapInfo heap, String cause) {
        return HeapException.of(errno, "the verification of heap '" + heap.name() + "' failed: " + cause);
    }

    private HeapInfo named(String name) {
        return broker.heaps().stream()
                .filter(heap -> heap.name().equals(name))
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException("unknown heap '" + name + "': "
                        + (names().isEmpty()
                                ? "no heap is installed"
                                : "expected one of " + String.join(", ", names()))));
    }

    private Verification run(HeapVerifier kit, HeapInfo heap, Line line, Output out) throws InterruptedException {
        boolean dynamics = line.has(DYNAMICS);
        List<HeapVerifier.Check> checks = kit.checks(heap.name(), dynamics);
        Verification verification = new Verification(heap);
        boolean text = !line.has(Option.JSON);
        if (text) {
            out.print(verification.announcement(checks.size(), dynamics ? sharing(heap) : List.of()));
        }
        for (HeapVerifier.Check check : checks) {
            Verification.Case result = verification.run(check);
            if (Thread.interrupted()) {
                throw new InterruptedException(); // its result is that of the interrupt, and not of the heap
            }
            if (text && (!line.has(QUIET) || result.isFailure())) {
                out.print(result.text());
            }
        }
        return verification;
    }

    /** {@return the names of all heaps that the heap's bundle has announced} */
    private List<String> sharing(HeapInfo heap) {
        return broker.heaps().stream()
                .filter(other -> other.bundle().equals(heap.bundle()))
                .map(HeapInfo::name)
                .distinct()
                .toList();
    }
}
