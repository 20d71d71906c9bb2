// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.account;

/**
 * What is charged at one moment.
 *
 * @param liveBuffers referenced or mapped here
 * @param liveBytes in them
 * @param lingeringBuffers that are held elsewhere alone
 * @param lingeringBytes in them
 * @param peakBytes most bytes of both kinds at once
 * @param limit bytes at most, {@link Rules#UNLIMITED} for none
 */
public record UsageSnapshot(
        long liveBuffers, long liveBytes, long lingeringBuffers, long lingeringBytes, long peakBytes, long limit) {
    public static final UsageSnapshot NONE = new UsageSnapshot(0, 0, 0, 0, 0, Rules.UNLIMITED);
}
