// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.spi.propertytypes;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import org.osgi.service.component.annotations.ComponentPropertyType;

/**
 * User ids of the peers to which a descriptor may be sent; an empty list forbids all. The component property
 * {@code heap.peers}, see {@link org.dmabuf.heap.HeapProperties#PEERS}.
 */
@ComponentPropertyType
@Retention(RetentionPolicy.CLASS)
@Target(ElementType.TYPE)
public @interface HeapPeers {
    /** {@return the value of {@code heap.peers}} */
    int[] value();
}
