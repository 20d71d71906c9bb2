// SPDX-License-Identifier: Apache-2.0
package org.example.client;

import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.PeerRule;

/** Checks of the values that a client makes, without a broker. */
final class ValueChecks {
    private ValueChecks() {}

    static void run(Report report) {
        report.run("requests keep their values", ValueChecks::requestsKeepTheirValues);
        report.run("requests refuse wrong values", ValueChecks::requestsRefuseWrongValues);
        report.run("requests refuse null", ValueChecks::requestsRefuseNull);
        report.run("clients have identities", ValueChecks::clientsHaveIdentities);
        report.run("accesses have directions", ValueChecks::accessesHaveDirections);
        report.run("error numbers have names", ValueChecks::errorNumbersHaveNames);
        report.run("a descriptor has one owner", ValueChecks::aDescriptorHasOneOwner);
        report.run("an owner is made before its descriptor", ValueChecks::anOwnerIsMadeBeforeItsDescriptor);
    }

    private static void requestsKeepTheirValues() {
        AllocationRequest plain = AllocationRequest.of(1);
        Expect.same(1L, plain.size());
        Expect.same(List.of(), plain.heaps());
        Expect.yes(plain.mask().isEmpty()
                && plain.requirement().isEmpty()
                && plain.name().isEmpty());
        Expect.same(Set.of(), plain.emulations());
        Expect.same(1L, plain.alignment());
        Expect.same(ExportMode.READ_WRITE, plain.export());
        Expect.same(Duration.ZERO, plain.timeout());

        AllocationRequest request = plain.withHeaps("one", "two")
                .withRequirement("(heap.type=kept)")
                .withEmulations("contiguous", "protected")
                .withAlignment(4096)
                .withExport(ExportMode.READ_ONLY)
                .withName("frame")
                .withTimeout(Duration.ofSeconds(1));
        Expect.same(1L, request.size());
        Expect.same(List.of("one", "two"), request.heaps());
        Expect.same("(heap.type=kept)", request.requirement().orElseThrow());
        Expect.same(Set.of("contiguous", "protected"), request.emulations());
        Expect.same(4096L, request.alignment());
        Expect.same(ExportMode.READ_ONLY, request.export());
        Expect.same("frame", request.name().orElseThrow());
        Expect.same(Duration.ofSeconds(1), request.timeout());
        Expect.yes(request.mask().isEmpty());

        AllocationRequest byMask = request.withMask(3);
        Expect.same(3L, byMask.mask().orElseThrow());
        Expect.same(List.of(), byMask.heaps());
        Expect.yes(byMask.withHeaps("one").mask().isEmpty());
    }

    private static void requestsRefuseWrongValues() {
        AllocationRequest request = AllocationRequest.of(1);
        for (Expect.Call wrong : List.<Expect.Call>of(
                () -> AllocationRequest.of(0),
                () -> AllocationRequest.of(Long.MAX_VALUE),
                () -> request.withHeaps(" "),
                () -> request.withHeaps("one", "one"),
                () -> request.withMask(0),
                () -> request.withRequirement("no filter"),
                () -> request.withEmulations(""),
                () -> request.withEmulations("contiguous", "contiguous"),
                () -> request.withAlignment(3),
                () -> request.withName(""),
                () -> request.withName("a\nb"),
                () -> request.withName("a name of more than 31 characters"),
                () -> request.withTimeout(Duration.ofNanos(-1)),
                () -> request.withTimeout(Duration.ofDays(366)))) {
            String sentence =
                    Expect.failure(IllegalArgumentException.class, wrong).getMessage();
            Expect.yes(sentence.startsWith("invalid ") && sentence.contains(": expected "));
        }
    }

    private static void requestsRefuseNull() {
        AllocationRequest request = AllocationRequest.of(1);
        for (Expect.Call wrong : List.<Expect.Call>of(
                () -> request.withHeaps((String) null),
                () -> request.withHeaps((String[]) null),
                () -> request.withRequirement(null),
                () -> request.withEmulations((String) null),
                () -> request.withExport(null),
                () -> request.withName(null),
                () -> request.withTimeout(null))) {
            Expect.failure(NullPointerException.class, wrong);
        }
    }

    private static void clientsHaveIdentities() {
        ClientId bundle = ClientId.ofBundle("org.example", "file:one.jar");
        Expect.same(ClientId.BUNDLE, bundle.kind());
        Expect.same("org.example", bundle.name());
        Expect.same("file:one.jar", bundle.location().orElseThrow());
        Expect.yes(bundle.isBundle());
        Expect.same("org.example", bundle.toString());
        Expect.same(ClientId.ofBundle("org.example", "file:one.jar"), bundle);
        Expect.same(ClientId.ofBundle("org.example", "file:one.jar").hashCode(), bundle.hashCode());
        ClientId elsewhere = ClientId.ofBundle("org.example", "file:two.jar");
        Expect.yes(!elsewhere.equals(bundle) && bundle.compareTo(elsewhere) < 0);

        ClientId user = ClientId.of("uid", "1000");
        Expect.same("uid", user.kind());
        Expect.same("1000", user.name());
        Expect.yes(!user.isBundle() && user.location().isEmpty());
        Expect.same("uid:1000", user.toString());
        Expect.failure(IllegalArgumentException.class, () -> ClientId.of(ClientId.BUNDLE, "org.example"));
        Expect.failure(IllegalArgumentException.class, () -> ClientId.of("uid", ""));
    }

    private static void accessesHaveDirections() {
        Expect.yes(Access.READ.reads() && !Access.READ.writes());
        Expect.yes(Access.WRITE.writes() && !Access.WRITE.reads());
        Expect.yes(Access.READ_WRITE.reads() && Access.READ_WRITE.writes());
        Expect.same(ExportMode.NONE, ExportMode.valueOf("NONE"));
    }

    private static void errorNumbersHaveNames() {
        for (Errno errno : Errno.values()) {
            Expect.same(errno, Errno.of(errno.number()));
            Expect.yes(!errno.meaning().isEmpty());
        }
        Expect.same(19, Errno.ENODEV.number());
        Expect.same(Errno.EIO, Errno.of(4000));
        Expect.yes(Errno.ENOMEM.isTransient() && !Errno.EACCES.isTransient());
    }

    private static void aDescriptorHasOneOwner() {
        CountingCloser closer = new CountingCloser();
        OwnedFd owned = OwnedFd.of(7, closer);
        Expect.same(7, owned.fd());
        Expect.yes(owned.peers().isEmpty());
        owned.close();
        owned.close();
        Expect.same(List.of(7), closer.closed());
        Expect.failure(IllegalStateException.class, owned::fd);

        OwnedFd given = OwnedFd.of(8, closer);
        Expect.same(8, given.detach());
        given.close();
        Expect.same(List.of(7), closer.closed());
        Expect.same(List.of(8), closer.detached());
        Expect.failure(IllegalStateException.class, given::detach);
        Expect.failure(IllegalArgumentException.class, () -> OwnedFd.of(-1, closer));
        OwnedFd.of(9, _ -> {}).close();
    }

    private static void anOwnerIsMadeBeforeItsDescriptor() {
        CountingCloser closer = new CountingCloser();
        Optional<PeerRule> rule = PeerRule.of("kept", List.of(0, 1000));
        OwnedFd owner = OwnedFd.awaiting(closer, rule);
        Expect.failure(IllegalStateException.class, owner::fd);
        owner.close();
        owner.own(7);
        Expect.same(7, owner.fd());
        PeerRule peers = owner.peers().orElseThrow();
        Expect.same("kept", peers.heap());
        Expect.same(Set.of(0, 1000), peers.users());
        Expect.yes(peers.permits(1000) && !peers.permits(1));
        Expect.yes(PeerRule.of("kept", null).isEmpty());
        owner.close();
        Expect.same(List.of(7), closer.closed());
    }
}
