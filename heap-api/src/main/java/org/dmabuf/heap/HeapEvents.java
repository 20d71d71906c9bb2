// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap;

/**
 * Events that the broker posts to Event Admin, in a gateway that has one. Delivery is Event Admin's: asynchronous,
 * in order. Values are Strings and Longs; keys are those of {@link HeapProperties} where one fits.
 *
 * <table>
 * <caption>Topics and what their events carry</caption>
 * <tr><th>topic<th>when<th>properties
 * <tr><td>{@link #ARRIVED}<td>a heap serves<td>{@code heap.name}, {@link #BUNDLE}, {@link #BUFFERS}
 * <tr><td>{@link #DRAINING}<td>a heap takes no more requests<td>the same
 * <tr><td>{@link #DEPARTED}<td>a heap is gone, or serves no more by its properties; buffers of it live on<td>the same
 * <tr><td>{@link #LOW_MEMORY}<td>a request failed for want of memory, or of room in a quota, at most once
 *     a second for each heap
 *     <td>{@code heap.name}, {@link #CLIENT}, {@code dmabuf.size}, {@link #REASON}
 * <tr><td>{@link #LEAK}<td>a buffer was lost unclosed, and released by the broker
 *     <td>{@code heap.name}, {@link #CLIENT}, {@code dmabuf.name}, {@code dmabuf.size}, {@link #SITE}
 * <tr><td>{@link #LEAK}<td>a client lost more than five buffers in a minute: the others, once a minute
 *     <td>{@link #CLIENT}, {@link #BUFFERS}, {@code dmabuf.size} of all of them
 * </table>
 *
 * <p>The events of one {@code heap.name} come in the order ARRIVED, DRAINING, DEPARTED, and then again from the first.
 * DRAINING is missing where a heap ceases to serve by a change of its properties. So the last event of a name shows
 * whether a heap serves under it, with one delay: where another heap has taken over the name of one that drains, its
 * ARRIVED follows the DEPARTED of that one, {@code drain.ms} after the change at most. A heap that was refused, or that
 * waits behind another of its name or id, has no events. Between events of different names the order means nothing.
 *
 * <p>A heap that serves keeps its name and its id against every other heap until it leaves or announces another name
 * or id. A heap that comes out of a shadow, or that takes another name or id, never takes a third one out of service;
 * it waits where the name or the id is taken. A request that is under way is not served by a heap that no longer has
 * the name that the request lists, or an id in its mask.
 */
public final class HeapEvents {
    /** A heap serves. */
    public static final String ARRIVED = "org/dmabuf/heap/ARRIVED";
    /** A heap takes no more requests. */
    public static final String DRAINING = "org/dmabuf/heap/DRAINING";
    /** A heap is gone; buffers of it live on. */
    public static final String DEPARTED = "org/dmabuf/heap/DEPARTED";
    /** A request failed for want of memory. */
    public static final String LOW_MEMORY = "org/dmabuf/heap/LOW_MEMORY";
    /** A buffer became unreachable and had not been closed. */
    public static final String LEAK = "org/dmabuf/heap/LEAK";

    /** Symbolic name of the heap's bundle, under Event Admin's own key for it: String. */
    public static final String BUNDLE = "bundle.symbolicName";
    /** The client, as {@link ClientId#toString()}: String. */
    public static final String CLIENT = "dmabuf.client";
    /** Buffers of the heap that are referenced or mapped, or that were lost and are not reported one by one: Long. */
    public static final String BUFFERS = "heap.buffers";
    /** Message of the request's failure: String. */
    public static final String REASON = "heap.reason";
    /** Where the buffer was allocated, empty when that is not kept: String. */
    public static final String SITE = "dmabuf.site";

    private HeapEvents() {}
}
