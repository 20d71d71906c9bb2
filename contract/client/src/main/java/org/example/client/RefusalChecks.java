// SPDX-License-Identifier: Apache-2.0
package org.example.client;

import static org.example.client.Gateway.OWN;

import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.ClientView;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.HeapRefusedException;

/** Checks of requests that cannot be met. */
final class RefusalChecks {
    private final HeapBroker broker;

    RefusalChecks(Gateway gateway) {
        broker = gateway.broker();
    }

    void run(Report report) {
        report.run("a heap that is not there is refused", this::aHeapThatIsNotThereIsRefused);
        report.run("a buffer without an export is not exported", this::aBufferWithoutAnExportIsNotExported);
        report.run("no view is opened without a permission", this::noViewIsOpenedWithoutAPermission);
    }

    private void aHeapThatIsNotThereIsRefused() {
        HeapRefusedException absent = Expect.failure(
                HeapRefusedException.class,
                () -> broker.allocate(AllocationRequest.of(1).withHeaps("kept-absent")));
        Expect.same(Errno.ENODEV, absent.errno());
        Expect.same(19, absent.number());
        Expect.same("kept-absent", absent.attempts().getFirst().heap());
        Expect.yes(absent.getMessage().contains(absent.reason()));
    }

    private void aBufferWithoutAnExportIsNotExported() {
        try (DmaBuf inside =
                broker.allocate(AllocationRequest.of(1).withHeaps(OWN).withExport(ExportMode.NONE))) {
            Expect.same(
                    Errno.ENOTSUP,
                    Expect.failure(HeapRefusedException.class, inside::exportFd).errno());
        }
    }

    private void noViewIsOpenedWithoutAPermission() {
        Expect.same(
                Errno.EACCES,
                Expect.failure(HeapRefusedException.class, this::view).errno());
        Expect.failure(
                IllegalArgumentException.class, () -> broker.openView(ClientId.ofBundle("org.example", "file:a")));
        Expect.failure(
                IllegalArgumentException.class,
                () -> broker.openView(ClientId.ofBundle("org.example", "file:a"), "process 7"));
    }

    private ClientId view() {
        try (ClientView view = broker.openView(ClientId.of("uid", "1000"))) {
            return view.client();
        }
    }
}
