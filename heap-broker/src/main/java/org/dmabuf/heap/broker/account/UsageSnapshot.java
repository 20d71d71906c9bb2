// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.account;

/**
 * The usage of one account at one moment.
 *
 * @param liveBuffers buffers that are referenced or mapped in this process
 * @param liveBytes bytes in live buffers
 * @param lingeringBuffers buffers that only holders outside this process use
 * @param lingeringBytes bytes in lingering buffers
 * @param peakBytes most bytes of both kinds at once
 * @param limit bytes at most, {@link Rules#UNLIMITED} for none
 */
public record UsageSnapshot(
        long liveBuffers, long liveBytes, long lingeringBuffers, long lingeringBytes, long peakBytes, long limit) {
    public static final UsageSnapshot NONE = new UsageSnapshot(0, 0, 0, 0, 0, Rules.UNLIMITED);
}
