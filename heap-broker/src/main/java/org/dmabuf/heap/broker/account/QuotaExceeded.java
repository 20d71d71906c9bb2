// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.account;

import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.linux.text.Printable;

/**
 * A quota that a buffer does not fit.
 *
 * @param whose quota it is: in words, for a person
 * @param remedy what would have to be raised, and where
 * @param used bytes that count against it
 * @param limit bytes at most
 * @param everywhere whether it is as full for every other heap
 */
public record QuotaExceeded(String whose, String remedy, long used, long limit, boolean everywhere) {
    /**
     * @param own whether it is what the heap announced of itself
     */
    static QuotaExceeded heap(long used, long limit, boolean own) {
        String remedy = own
                ? HeapProperties.QUOTA + " where the heap is configured, or set " + setting(Rules.QUOTA_HEAP)
                : setting(Rules.QUOTA_HEAP);
        return new QuotaExceeded("the heap's quota", remedy, used, limit, false);
    }

    static QuotaExceeded share(long used, long limit) {
        return new QuotaExceeded(
                "that bundle's quota on this heap", setting(Rules.QUOTA_CLIENT_ON_HEAP), used, limit, false);
    }

    static QuotaExceeded client(long used, long limit) {
        return new QuotaExceeded("that bundle's quota on all heaps", setting(Rules.QUOTA_CLIENT), used, limit, true);
    }

    private static String setting(String name) {
        return name + " in " + Rules.PID;
    }

    /** {@return the refusal of a buffer of this size} */
    public HeapException refusal(ClientHeapAccount share, long size) {
        String heap = share.account().heap();
        return new HeapException(
                Errno.ENOMEM,
                heap,
                "heap '" + heap + "': " + Bytes.text(size) + " for bundle "
                        + Printable.of(share.client().bundle()) + " do not fit " + whose + ": " + Bytes.text(used)
                        + " of " + Bytes.text(limit) + " are used; close buffers, or raise " + remedy);
    }
}
