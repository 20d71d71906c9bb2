// SPDX-License-Identifier: Apache-2.0
/**
 * Packets of the protocol between the gateway and native programs: immutable values, and their form on the wire. The
 * package depends on neither the framework nor the broker, so that a program outside the framework can use it.
 */
package org.dmabuf.heap.nativeclient.protocol;
