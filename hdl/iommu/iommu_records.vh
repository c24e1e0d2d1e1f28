// Records of the IOMMU core, for `include inside a module (not every front end takes types from a package).
// Ports carry them as flat vectors of the widths given at the end.

// A request; `pid` and `priv` are 0 when `pv` is 0. `at` = AT_MESSAGE is a PCIe message that needs its device context only; then `iova`
// is the message code. `debug`: the debug port asks, not a device.
typedef struct packed {
  logic        debug;
  logic [23:0] did;
  logic        pv;
  logic [19:0] pid;
  logic        priv;
  logic        exec;
  logic [1:0]  at;
  logic        wr;
  logic        nw;
  logic [63:0] iova;
} request_t;

// A device context, and once `resolved` the first stage that the process context selects.
typedef struct packed {
  logic        resolved;
  logic        en_ats;
  logic        en_pri;
  logic        prpr;
  logic        t2gpa;
  logic        dtf;
  logic        gade;
  logic        sade;
  logic        sbe;
  logic        pdtv;
  logic        dpe;
  logic        supervisor;    // PC.ta.ENS, or 1 where it does not apply
  logic        sum;
  logic [3:0]  first_mode;    // iosatp.MODE; pdtp.MODE while not resolved and pdtv
  logic [43:0] first_ppn;
  logic [19:0] pscid;
  logic [3:0]  second_mode;
  logic [43:0] second_ppn;
  logic [15:0] gscid;
  logic        msi;           // msiptp.MODE = Flat
  logic [43:0] msi_ppn;
  logic [51:0] msi_mask;
  logic [51:0] msi_pattern;
  logic [23:0] qos;           // {MCID, RCID}
} context_t;

// Progress of a walk.
typedef struct packed {
  logic [3:0]  state;         // iommu_spec_pkg::WALK_*
  logic [2:0]  level;         // of the directory or first-stage table
  logic [2:0]  second_level;
  logic [1:0]  purpose;       // of the second-stage translation
  logic        cold;          // the walk cache is not used
  logic        reused;        // the first-stage table came from the walk cache
  logic [63:0] guest;         // address under second-stage translation; iotval2 of a guest page fault
  logic [55:0] address;       // of the access in flight; result address when done
  logic [63:0] entry;         // PTE before its A/D update; {notice PPN, 9'b0, NID} of an MRIF when done
  logic        r;             // rights of the first stage; of both stages when done
  logic        w;
  logic        x;
  logic        d;
  logic        g;
  logic [1:0]  pbmt;
  logic [2:0]  page;          // size code of the first-stage page
  logic        table_w;       // second-stage right to write the first-stage table
  logic [1:0]  table_pbmt;
  logic [2:0]  final_page;    // size code of the result
  logic        second_r;      // when done: the second stage at `guest`, all rights and PAGE_NONE where it is Bare
  logic        second_w;      // W and D
  logic        second_x;
  logic [1:0]  second_pbmt;
  logic [2:0]  second_page;
  logic        mrif;
  logic        msi;
  logic [1:0]  status;        // iommu_pkg::RESPONSE_*
  logic        record;        // a fault record is to be written
  logic [8:0]  cause;
  logic        guest_fault;   // iotval2 = {guest[63:2], guest_flags}
  logic [1:0]  guest_flags;
} walk_t;

// What the response to a walk means (iommu_walk_event.v), for the rest of the step (iommu_walk_advance.v).
typedef struct packed {
  logic        locate;        // the parts of the step to go on with
  logic        guest;
  logic        second;
  logic        arrive;
  logic        finish;
  logic        access;        // at `address`
  logic        update;        // the access is a compare-and-set
  logic        again;
  logic        index;         // an interrupt file number is to be computed
  logic        fault;
  logic [8:0]  cause;
  logic        guest_fault;
  logic [1:0]  guest_flags;
  logic        cached;        // the context came from the context cache
  logic [55:0] address;
  logic        s_r;           // second-stage attributes of `guest`; those of a Bare stage unless a leaf was read
  logic        s_w;
  logic        s_x;
  logic        s_d;
  logic [1:0]  s_pbmt;
  logic [2:0]  s_page;
  logic [55:0] s_address;
} decision_t;

// A fault: what a record holds beyond its constants.
typedef struct packed {
  logic [8:0]  cause;
  logic [3:0]  ttyp;
  logic [23:0] did;
  logic        pv;
  logic [19:0] pid;
  logic        priv;
  logic [63:0] iotval;
  logic [63:0] iotval2;
} fault_t;

// Whose event it was, for the filters of the performance counters; identifiers that do not apply are not valid.
typedef struct packed {
  logic [23:0] did;
  logic        pv;
  logic [19:0] pid;
  logic        gv;
  logic [15:0] gscid;
  logic        pscv;
  logic [19:0] pscid;
} event_source_t;

// What a TLB remembers of a translation; the requester {did, pv, pid, priv} and the first page number are its key.
typedef struct packed {
  logic        r;
  logic        w;
  logic        x;
  logic        g;
  logic [1:0]  pbmt;
  logic [2:0]  page;          // size code of the cached range
  logic [2:0]  first_page;    // size code of the first-stage page, the unit of IOTINVAL.VMA
  logic        gv;
  logic [15:0] gscid;
  logic        pscv;
  logic [19:0] pscid;
  logic [43:0] ppn;
} translation_t;

// A response on the translation port, without its identifier (docs/interfaces.md section 3).
typedef struct packed {
  logic [1:0]  status;
  logic [55:0] spa;
  logic [1:0]  pbmt;
  logic [7:0]  permissions;
  logic [5:0]  size;
  logic        mrif;
  logic [10:0] mrif_nid;
  logic [43:0] mrif_nppn;
  logic        mrif_quiet;    // DC.tc.DTF, for faults of the store
  logic [23:0] mrif_qos;      // {MCID, RCID} of the store
} response_t;

// A 32-bit write to a memory-resident interrupt file: the file, its notice, and the device request that it came from.
typedef struct packed {
  logic [55:0] address;
  logic [10:0] nid;
  logic [43:0] nppn;
  logic        quiet;
  logic [23:0] qos;
  logic        translated;
  logic [23:0] did;
  logic        pv;
  logic [19:0] pid;
  logic        priv;
  logic [63:0] iova;
  logic [31:0] data;
} mrif_write_t;

// A page request message (docs/interfaces.md section 6); `dsv` = `did[23:16]` is a segment number.
typedef struct packed {
  logic        dsv;
  logic [23:0] did;
  logic        pv;
  logic [19:0] pid;
  logic        priv;
  logic        exec;
  logic [63:0] payload;       // bytes 8 to 15 of the message: R, W, L, PRG index, page
} page_request_t;

// A message to a device: an invalidate request (then with `itag`) or a page-request-group response.
typedef struct packed {
  logic        invalidate;
  logic        dsv;
  logic [7:0]  dseg;
  logic [15:0] rid;
  logic        pv;
  logic [19:0] pid;
  logic [4:0]  itag;
  logic [63:0] payload;
} message_t;

// An invalidation broadcast to every cache.
typedef struct packed {
  logic        everything;
  logic        directory;     // IODIR: match on did (dv) and pid (pv); else IOTINVAL
  logic        dv;
  logic [23:0] did;
  logic        pv;
  logic [19:0] pid;
  logic        gvma;
  logic        gv;
  logic [15:0] gscid;
  logic        pscv;
  logic [19:0] pscid;
  logic        av;
  logic        nl;
  logic [51:0] vpn;
  logic [51:0] vpn_mask;      // 1 = page number bit inside the range, ignored
} invalidation_t;
