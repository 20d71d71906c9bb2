// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.itests;

import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;
import org.osgi.framework.wiring.FrameworkWiring;

/** The ways in which a bundle leaves. After two of them it returns with new classes. */
enum Departure {
    STOP {
        @Override
        void happen(BundleContext operator, Bundle bundle, TestBundle content) throws Exception {
            bundle.stop();
        }
    },
    UPDATE {
        @Override
        void happen(BundleContext operator, Bundle bundle, TestBundle content) throws Exception {
            bundle.update(content.jar());
        }
    },
    REFRESH {
        @Override
        void happen(BundleContext operator, Bundle bundle, TestBundle content) throws Exception {
            CountDownLatch refreshed = new CountDownLatch(1);
            operator.getBundle(0)
                    .adapt(FrameworkWiring.class)
                    .refreshBundles(List.of(bundle), _ -> refreshed.countDown());
            if (!refreshed.await(60, TimeUnit.SECONDS)) {
                throw new AssertionError("the refresh has not ended");
            }
        }
    },
    UNINSTALL {
        @Override
        void happen(BundleContext operator, Bundle bundle, TestBundle content) throws Exception {
            bundle.uninstall();
        }
    };

    /**
     * Makes the bundle leave, and returns when it has left.
     *
     * @param operator the framework access that performs it
     * @param bundle the bundle that leaves
     * @param content the content for an update
     */
    abstract void happen(BundleContext operator, Bundle bundle, TestBundle content) throws Exception;

    boolean comesBack() {
        return this == UPDATE || this == REFRESH;
    }
}
