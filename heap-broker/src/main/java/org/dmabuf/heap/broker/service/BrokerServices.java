// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.service;

import org.dmabuf.heap.broker.account.Ledger;
import org.dmabuf.heap.broker.allocation.Adoption;
import org.dmabuf.heap.broker.allocation.Allocator;
import org.dmabuf.heap.broker.allocation.Planner;
import org.dmabuf.heap.broker.buffer.LeakDetector;
import org.dmabuf.heap.linux.fd.Descriptors;

/**
 * Services that the brokers of all clients share.
 *
 * @param ledger the accounts
 * @param allocator serves requests
 * @param planner serves requests with devices or demands
 * @param adoption adopts memory of other processes
 * @param listing lists the heaps
 * @param leaks finds references that clients lose
 * @param descriptors closes plain descriptors
 */
public record BrokerServices(
        Ledger ledger,
        Allocator allocator,
        Planner planner,
        Adoption adoption,
        HeapListing listing,
        LeakDetector leaks,
        Descriptors descriptors) {}
