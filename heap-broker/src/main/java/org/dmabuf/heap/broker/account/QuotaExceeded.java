// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.account;

import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.linux.text.Printable;

/**
 * Quota that an allocation would exceed.
 *
 * @param quota the name of the quota, for messages
 * @param remedy the setting that raises it, with its location
 * @param used bytes that already count against it
 * @param limit the quota in bytes
 * @param everywhere whether the quota refuses the same buffer from every other heap
 */
public record QuotaExceeded(String quota, String remedy, long used, long limit, boolean everywhere) {
    /** @param own whether the heap announced the quota itself */
    static QuotaExceeded heap(long used, long limit, boolean own) {
        String remedy = own
                ? HeapProperties.QUOTA + " where the heap is configured, or set " + setting(Rules.QUOTA_HEAP)
                : setting(Rules.QUOTA_HEAP);
        return new QuotaExceeded("the heap's quota", remedy, used, limit, false);
    }

    static QuotaExceeded clientOnHeap(long used, long limit) {
        return new QuotaExceeded(
                "that client's quota on this heap", setting(Rules.QUOTA_CLIENT_ON_HEAP), used, limit, false);
    }

    static QuotaExceeded client(long used, long limit) {
        return new QuotaExceeded("that client's quota on all heaps", setting(Rules.QUOTA_CLIENT), used, limit, true);
    }

    private static String setting(String name) {
        return name + " in " + Rules.PID;
    }

    /** {@return the exception that refuses a buffer of this size} */
    public HeapException refusal(ClientHeapAccount share, long size) {
        String heap = share.account().heap();
        return HeapException.of(
                Errno.ENOMEM,
                heap,
                Bytes.text(size) + " for " + (share.client().id().isBundle() ? "bundle " : "client ")
                        + Printable.of(share.client().id().toString()) + " does not fit " + quota + ": "
                        + Bytes.text(used)
                        + " of " + Bytes.text(limit) + " are used; close buffers, or raise " + remedy);
    }
}
