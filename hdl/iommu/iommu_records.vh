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
  logic        big_endian;    // of the access in flight: byte order, and the dword that counts (one-hot)
  logic [7:0]  place;
  logic [7:0]  asked;         // dwords of the access in flight whose errors count
  logic        device;        // it reads a device context
  logic        process;       // it reads a process context
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
  logic [2:0]  final_page;    // size code of the result; from here on (OUTCOME_W bits) of a result only
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

// A leaf of the second stage, with A = 1 (iommu_second_stage_leaves.v).
typedef struct packed {
  logic        d;
  logic        x;
  logic        w;
  logic        r;
  logic [1:0]  pbmt;
  logic [2:0]  page;          // size code
  logic [43:0] ppn;           // bits within the page do not matter
} second_leaf_t;

// What the first half of a step finds (iommu_walk_event.v, iommu_walk_look.v): the kind of the event, one-hot, and what is true of the
// memory response. What follows from them is the second half's (iommu_walk_advance.v).
typedef struct packed {
  logic        fetch;         // the record was fetched from its slot, nothing more
  logic        refused;       // ddtp refuses the request: misfit_cause
  logic        bare;          // ddtp is Bare: done
  logic        start;         // the device directory begins at `target`
  logic        locate;        // a context is known
  logic        cached;        // it came from the context cache
  logic        staged;        // ... with a first stage that is known; no address that is translated already
  logic        defaulted;     // ... with a process directory, but of no process: no first stage
  logic        to_process;    // ... with a process directory that is to be walked
  logic        guest;         // `target` is the guest address to look up
  logic        index;         // the MSI page table entry is at `target`
  logic        directory;     // entries: device directory, process directory, page tables, MSI page table
  logic        process;
  logic        first;
  logic        second;
  logic        msi;
  logic        error;         // of the dwords asked for
  logic        poison;
  logic        lost;          // a compare-and-set found another value
  logic        updated;       // response of a compare-and-set
  logic        reused;        // the entry is a leaf of the second stage from its cache, nothing was read
  logic        invalid;       // directories, MSI: V = 0
  logic        misfit;        // directories, MSI: misconfigured
  logic        forbidden;     // MSI: not for this access
  logic        malformed;     // page tables (iommu_pte_check.v)
  logic        leaf;
  logic        bad_pointer;
  logic        bad_page;
  logic        denied;        // rights, or an update that hardware may not make
  logic        stale;         // A or D is to be set
  logic        sets_dirty;    // the access sets D of a writable page
  logic [2:0]  page;          // size code of the leaf
  logic        msi_match;
  logic        mrif;
  logic [2:0]  canonical;     // the request's address is canonical in Sv57, Sv48, Sv39
  logic [2:0]  wide;          // it is wider than Sv57x4, Sv48x4, Sv39x4 translate
  logic [1:0]  wide_process;  // its process identifier exceeds 17, 8 bits
  logic [63:0] target;        // address that the entry yields
  logic [8:0]  error_cause;
  logic [8:0]  poison_cause;
  logic [8:0]  invalid_cause;
  logic [8:0]  misfit_cause;  // page tables: of every fault of the entry
} finding_t;

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
  logic [2:0]  guest_high;    // bits 58:56 of the guest address that a T2GPA device is given; 0 of every SPA
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
