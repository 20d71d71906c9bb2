// SPDX-License-Identifier: Apache-2.0
/** The other end of the control socket, which the launcher runs without a framework. Needs the JDK alone. */
package org.dmabuf.heap.gateway.control.client;
