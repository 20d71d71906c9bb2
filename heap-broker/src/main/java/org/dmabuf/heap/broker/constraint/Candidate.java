// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.constraint;

import org.dmabuf.heap.constraint.HeapFacts;

/**
 * Heap that a request may use.
 *
 * @param name its name
 * @param rank its place in the order of asking; among heaps of equal rank the least scarce is asked first
 * @param facts its facts
 */
public record Candidate(String name, int rank, HeapFacts facts) {}
